"""What the integration tests share: a real Engine, a real Kafka, the program under test, and a verifier."""
