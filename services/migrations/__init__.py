"""The history of the store's tables, run by `services.store.Store.migrate`."""
