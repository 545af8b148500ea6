"""Games over markets of many users."""
