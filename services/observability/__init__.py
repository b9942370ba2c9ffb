"""What the service tells about itself: metrics, requests and health."""
