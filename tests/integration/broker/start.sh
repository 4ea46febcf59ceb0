#!/bin/bash
# As the native image of apache/kafka starts: the configuration from the environment, the storage formatted, the broker.
set -eu
run=(java -Xmx384m -XX:TieredStopAtLevel=1 -cp "/opt/kafka/libs/*")
# A storage that is formatted already, at each start but the first, is no fault, though the tool ends with one.
said=$("${run[@]}" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) || [[ $said == *"already formatted"* ]] || {
    echo "$said" >&2
    exit 1
}
exec "${run[@]}" kafka.Kafka /opt/kafka/config/server.properties
