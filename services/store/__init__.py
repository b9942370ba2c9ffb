"""The store: database, tables and files, the outbox, backup and migrations. It knows no HTTP."""
