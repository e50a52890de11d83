"""What Sparekey is measured beside, each written as its own documentation advises."""
