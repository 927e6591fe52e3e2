"""What a pod is: identity, mapping from Kubernetes, owners, merging. Pure: no loop, no socket, no driver."""
