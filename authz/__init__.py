"""May this actor do this? Pure Python over the policy: nothing here awaits, reads a row or knows GraphQL."""
