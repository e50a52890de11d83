"""What may change, and when: writes only, each one transaction with one audit event."""
