"""The folder of a local database: checked before Milvus Lite opens it, sealed, and repaired."""
