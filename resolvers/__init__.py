"""GraphQL's words turned into ours: root fields, the guard in front of them, and reads."""
