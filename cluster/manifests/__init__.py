"""Files for others to start from: Serve configs and KubeRay manifests."""
