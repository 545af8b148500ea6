"""What every room needs: statuses, batching, checks."""
