"""The bundled manifests: which sets there are, what each is for, and its objects as kubectl would apply them, without kubectl."""
