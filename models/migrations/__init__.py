"""The steps that build the database, in order."""
