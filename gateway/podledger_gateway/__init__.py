"""REST for any gRPC service that carries `google.api.http` annotations."""
