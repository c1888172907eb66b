"""What it does under load, and what that costs. Reaches the runtime only over HTTP."""
