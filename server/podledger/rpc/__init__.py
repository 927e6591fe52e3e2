"""The calls: one chain of stages around each handler, whatever door a call came by."""
