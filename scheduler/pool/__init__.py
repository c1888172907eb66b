"""What may serve one model: replicas and offers with what is in flight there, and the queue."""
