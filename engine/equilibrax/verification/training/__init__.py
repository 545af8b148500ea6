"""What models are trained on, checked by other means: splits by form, and games in words with answers."""
