"""Who looks on at a gateway: Prometheus series and OpenTelemetry spans."""
