#!/bin/bash
# A real Apache Kafka (KRaft) for the tests: one broker or three, data on tmpfs.
#   tests/setup/kafka.sh start [--brokers 1|3] [--tls-sasl] [--host ADDRESS]... [--set KEY=VALUE]... [--version V]
#   tests/setup/kafka.sh stop | status | env         stop also removes the data
#   tests/setup/kafka.sh stop N | kill N | freeze N | thaw N | restart N      one broker, N from 1 on
#   tests/setup/kafka.sh tool topics|acls|configs|groups|transactions|offsets ARGUMENT...
#   tests/setup/kafka.sh jars                        fetch the jars only, of each version in use
# KAFKA_VERSION=V in the environment: the version of clusters without --version and --tls-sasl.
# Options of every command:
#   --dir D         the cluster's directory, which also names it (default: kafka in the state directory)
#   --port-base P   broker N listens from P + 10 * (N - 1) on (default 19092): plaintext, +1 controller,
#                   +2 TLS with client certificate, +3 SASL/SCRAM over TLS, +4 on each --host ADDRESS: plaintext,
#                   with --tls-sasl SASL/SCRAM over TLS
# --tls-sasl makes a CA, certificates for broker and client, and users whose password is their name and "-secret",
#   by SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN: admin and sidetail may do everything, nobody may do nothing.
#   Who comes in plaintext or with the client's certificate may do everything.
. "$(dirname "$0")/common.sh"

DEFAULT_VERSION=${KAFKA_VERSION:-4.3.1}
# librdkafka before 2.6.1 (Debian 12 has 2.0.2) doubles the client's nonce in SCRAM, which Kafka from 4.0 on refuses
# as invalid credentials (librdkafka pull request 4895); 3.9.1 still takes it. So SCRAM is tested on that one, and on
# the newest with the image, whose librdkafka is Debian 13's.
SCRAM_VERSION=3.9.1
VERSION=
DIR=$STATE_DIR/kafka
PORT_BASE=19092
BROKERS=1
TLS_SASL=0
HOSTS=()
SETTINGS=()
# The id is the same for each cluster; nothing outside ever compares them.
CLUSTER_ID=c2lkZXRhaWwtdGVzdC0wMQ

usage() {
    sed -n '2,16s/^# //p' "$0" >&2
    exit 2
}

port() { echo $((PORT_BASE + 10 * ($1 - 1) + $2)); }

pid_of() { cat "$DIR/broker$1.pid" 2>/dev/null || true; }

alive() { is_ours "$(pid_of "$1")" "$DIR/broker$1.properties"; }

fetch_jars() {
    local want
    want=$(sha256sum <"$SETUP_DIR/pom.xml")
    mkdir -p "${LIBS%/*}"
    [ "$(cat "$LIBS/.pom" 2>/dev/null)" != "$want" ] || return 0
    need mvn kafka
    say "fetching the jars of Kafka $VERSION"
    rm -rf "$LIBS.part"
    # Kafka 3.9's own logging backend is left out; slf4j-simple, which needs no configuration, takes its place.
    mvn -q -B -Dkafka.version="$VERSION" -f "$SETUP_DIR/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$LIBS.part" -DexcludeArtifactIds=slf4j-reload4j >"$LIBS.log" 2>&1 || {
        cat "$LIBS.log" >&2
        die "maven could not fetch Kafka's jars; its output is above"
    }
    rm -rf "$LIBS"
    mv "$LIBS.part" "$LIBS"
    echo "$want" >"$LIBS/.pom"
}

run_java() {
    java -Xshare:auto -XX:TieredStopAtLevel=1 -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
        -cp "$LIBS/*" "$@"
}

# sign NAME SUBJECT EXTENSIONS: a key (PKCS#8, as Java wants it) and a certificate signed by the CA.
sign() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
        -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out "$1.pem" \
        -extfile <(echo "$3") 2>/dev/null
    rm "$1.csr"
}

make_certificates() (
    need openssl kafka
    mkdir -p "$DIR/tls"
    cd "$DIR/tls" || exit
    local ca host names="DNS:localhost,IP:127.0.0.1"
    for host in "${HOSTS[@]}"; do names+=",IP:$host"; done
    # The second CA has signed nothing here: for tests which must see a broker refused.
    for ca in ca stranger-ca; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
            -subj "/CN=sidetail test $ca" -keyout $ca.key -out $ca.pem 2>/dev/null
    done
    sign broker /CN=localhost "subjectAltName=$names"
    sign client /CN=sidetail "extendedKeyUsage=clientAuth"
    cat broker.key broker.pem >broker-keystore.pem
)

listeners_of() {
    local n=$1 i list bound public map host host_protocol=PLAINTEXT
    [ "$TLS_SASL" = 0 ] || host_protocol=SASL_SSL
    bound="PLAINTEXT://127.0.0.1:$(port "$n" 0)"
    public="PLAINTEXT://localhost:$(port "$n" 0)"
    map="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
    if [ "$TLS_SASL" = 1 ]; then
        list="SSL://127.0.0.1:$(port "$n" 2),SASL_SSL://127.0.0.1:$(port "$n" 3)"
        bound+=",$list"
        public+=",${list//127.0.0.1/localhost}"
        map+=",SSL:SSL,SASL_SSL:SASL_SSL"
    fi
    i=0
    for host in "${HOSTS[@]}"; do
        i=$((i + 1))
        bound+=",HOST$i://$host:$(port "$n" 4)"
        public+=",HOST$i://$host:$(port "$n" 4)"
        map+=",HOST$i:$host_protocol"
    done
    echo "listeners=$bound,CONTROLLER://127.0.0.1:$(port "$n" 1)"
    echo "advertised.listeners=$public"
    echo "listener.security.protocol.map=$map"
    echo "controller.listener.names=CONTROLLER"
    echo "inter.broker.listener.name=PLAINTEXT"
}

security_settings() {
    local mechanism listener listeners=sasl_ssl i modules=org.apache.kafka.common.security
    for i in $(seq ${#HOSTS[@]}); do listeners+=" host$i"; done
    cat <<END
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/broker-keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin;User:sidetail;User:CN=sidetail
END
    for listener in $listeners; do
        echo "listener.name.$listener.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required user_admin=\"admin-secret\" user_sidetail=\"sidetail-secret\" user_nobody=\"nobody-secret\";"
        for mechanism in scram-sha-256 scram-sha-512; do
            echo "listener.name.$listener.$mechanism.sasl.jaas.config=$modules.scram.ScramLoginModule required;"
        done
    done
}

properties() {
    local n=$1 i voters="" replicas=$BROKERS min_isr=1
    [ "$BROKERS" = 1 ] || min_isr=2
    for i in $(seq "$BROKERS"); do voters+="${voters:+,}$i@127.0.0.1:$(port "$i" 1)"; done
    cat <<END
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
log.dirs=$DATA/broker$n
num.partitions=3
default.replication.factor=$replicas
min.insync.replicas=$min_isr
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$min_isr
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$min_isr
# Failures are noticed sooner than by default, so that a test need not wait for them.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
num.network.threads=2
num.io.threads=4
END
    listeners_of "$n"
    [ "$TLS_SASL" = 0 ] || security_settings
    # The last of two lines with one key is the one that counts.
    printf '%s\n' "${SETTINGS[@]}"
}

format_storage() {
    local n=$1 user mechanism scram=()
    if [ "$TLS_SASL" = 1 ]; then
        for user in admin sidetail nobody; do
            for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
                scram+=(--add-scram "$mechanism=[name=$user,password=$user-secret]")
            done
        done
    fi
    run_java kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$DIR/broker$n.properties" "${scram[@]}" \
        >"$DIR/format$n.log" 2>&1
}

launch() {
    setsid java -Xms128m -Xmx512m -XX:MaxGCPauseMillis=20 -XX:+ExitOnOutOfMemoryError \
        -cp "$LIBS/*" kafka.Kafka "$DIR/broker$1.properties" >>"$DIR/broker$1.log" 2>&1 </dev/null 9>&- &
    echo $! >"$DIR/broker$1.pid"
}

# Whether broker N answers and knows of as many brokers as live now.
sees_all() {
    local i running=0
    for i in $(seq "$BROKERS"); do
        if alive "$i"; then running=$((running + 1)); fi
    done
    kcat -b "127.0.0.1:$(port "$1" 0)" -m 3 -L 2>/dev/null | grep -q "^ $running brokers"
}

sees_all_or_dead() { sees_all "$1" || ! alive "$1"; }

await_broker() {
    retry 90 sees_all_or_dead "$1" || true
    alive "$1" && sees_all "$1" && return 0
    tail -n 20 "$DIR/broker$1.log" >&2
    die "broker $1 is not ready; the end of $DIR/broker$1.log is above"
}

write_description() {
    local i host all="" tls="" sasl="" hosts=""
    for i in $(seq "$BROKERS"); do
        all+="${all:+,}localhost:$(port "$i" 0)"
        tls+="${tls:+,}localhost:$(port "$i" 2)"
        sasl+="${sasl:+,}localhost:$(port "$i" 3)"
        for host in "${HOSTS[@]}"; do hosts+="${hosts:+,}$host:$(port "$i" 4)"; done
    done
    {
        printf 'VERSION=%q\nBROKERS=%q\nTLS_SASL=%q\nPORT_BASE=%q\nDATA=%q\n' \
            "$VERSION" "$BROKERS" "$TLS_SASL" "$PORT_BASE" "$DATA"
        echo "KAFKA_BOOTSTRAP=$all"
        echo "KAFKA_HOST_BOOTSTRAP=$hosts"
        if [ "$TLS_SASL" = 1 ]; then
            echo "KAFKA_TLS_BOOTSTRAP=$tls"
            echo "KAFKA_SASL_BOOTSTRAP=$sasl"
            printf 'KAFKA_CA=%q\nKAFKA_CLIENT_CERT=%q\nKAFKA_CLIENT_KEY=%q\n' \
                "$DIR/tls/ca.pem" "$DIR/tls/client.pem" "$DIR/tls/client.key"
        fi
    } >"$DIR/env"
}

# What start was asked for, to notice that a running cluster is another than the wanted one.
wanted() { echo "$VERSION $BROKERS $TLS_SASL $PORT_BASE ${HOSTS[*]} ${SETTINGS[*]}"; }

start() {
    need java kafka
    need kcat kafka
    # The jars are shared by all clusters, and lie there even when this one lies elsewhere.
    mkdir -p "$DIR" "$STATE_DIR"
    exec 9>"$STATE_DIR/kafka-jars.lock"
    flock 9
    fetch_jars
    flock -u 9
    exec 9>"$DIR/lock"
    flock 9
    if alive 1; then
        [ "$(wanted)" = "$(cat "$DIR/wanted")" ] || die "another cluster runs in $DIR: kafka.sh stop --dir $DIR first"
        say "runs already"
        return 0
    fi
    clean
    mkdir -p "$DATA"
    [ "$TLS_SASL" = 0 ] || make_certificates
    local n formats=()
    for n in $(seq "$BROKERS"); do
        properties "$n" >"$DIR/broker$n.properties"
        format_storage "$n" &
        formats+=($!)
    done
    for n in $(seq "$BROKERS"); do
        wait "${formats[$((n - 1))]}" || {
            cat "$DIR/format$n.log" >&2
            die "formatting the storage of broker $n failed"
        }
    done
    write_description
    wanted >"$DIR/wanted"
    for n in $(seq "$BROKERS"); do launch "$n"; done
    for n in $(seq "$BROKERS"); do await_broker "$n"; done
    say "ready: $(sed -n 's/^KAFKA_BOOTSTRAP=//p' "$DIR/env")"
}

clean() {
    rm -rf "$DATA" "$DIR"/broker* "$DIR"/format*.log "$DIR/tls" "$DIR/env" "$DIR/wanted"
}

# The data goes with the cluster, so there is nothing which a slow and orderly end would save.
stop_all() {
    local n pid pids=()
    for n in $(seq "$BROKERS"); do
        pid=$(pid_of "$n")
        if alive "$n"; then
            kill -9 "$pid"
            pids+=("$pid")
        fi
    done
    [ ${#pids[@]} = 0 ] || wait_gone 20 "${pids[@]}"
    clean
    say "stopped"
}

signal_broker() {
    alive "$2" || die "broker $2 does not run"
    kill "-$1" "$(pid_of "$2")"
}

stop_broker() {
    local pid
    pid=$(pid_of "$1")
    alive "$1" || return 0
    kill -CONT "$pid"
    kill -TERM "$pid"
    # A broker which cannot reach its controllers any more waits for them with no end.
    wait_gone 30 "$pid" || { kill -9 "$pid" && wait_gone 10 "$pid"; }
}

kill_broker() {
    local pid
    pid=$(pid_of "$1")
    signal_broker KILL "$1"
    wait_gone 20 "$pid"
}

restart_broker() {
    stop_broker "$1"
    launch "$1"
    await_broker "$1"
}

status() {
    local n state=down result=0
    for n in $(seq "$BROKERS"); do
        state=down
        if alive "$n"; then
            state="up, pid $(pid_of "$n")"
            if grep -q '^State:.T' "/proc/$(pid_of "$n")/status"; then state="frozen, pid $(pid_of "$n")"; fi
        else
            result=1
        fi
        echo "broker $n: $state"
    done
    return $result
}

tool() {
    local name=${1:-} class
    shift || usage
    case $name in
    topics) class=org.apache.kafka.tools.TopicCommand ;;
    acls)
        class=org.apache.kafka.tools.AclCommand
        case $VERSION in 3.*) class=kafka.admin.AclCommand ;; esac
        ;;
    configs) class=kafka.admin.ConfigCommand ;;
    groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    transactions) class=org.apache.kafka.tools.TransactionsCommand ;;
    offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
    *) usage ;;
    esac
    run_java "$class" --bootstrap-server "127.0.0.1:$(port 1 0)" "$@"
}

# Takes the options out of the arguments, and leaves the others in ARGUMENTS.
parse() {
    ARGUMENTS=()
    while [ $# -gt 0 ]; do
        case $1 in
        --dir) DIR=$(realpath -m "$2") && shift 2 ;;
        --port-base) PORT_BASE=$2 && shift 2 ;;
        --brokers) BROKERS=$2 && shift 2 ;;
        --tls-sasl) TLS_SASL=1 && shift ;;
        --version) VERSION=$2 && shift 2 ;;
        --host) HOSTS+=("$2") && shift 2 ;;
        --set) SETTINGS+=("$2") && shift 2 ;;
        tool)
            ARGUMENTS=("$@")
            return 0
            ;;
        *) ARGUMENTS+=("$1") && shift ;;
        esac
    done
}

main() {
    parse "$@"
    set -- "${ARGUMENTS[@]}"
    DATA=$DIR/data
    if [ -w /dev/shm ]; then DATA=/dev/shm/sidetail-kafka-$(printf %s "$DIR" | sha256sum | cut -c1-12); fi
    local command=${1:-}
    shift || usage
    if [ "$command" != start ] && [ -r "$DIR/env" ]; then . "$DIR/env"; fi
    if [ -z "$VERSION" ]; then
        VERSION=$DEFAULT_VERSION
        [ "$TLS_SASL" = 0 ] || VERSION=$SCRAM_VERSION
    fi
    LIBS=$STATE_DIR/kafka-jars/$VERSION
    case $command in
    start) start ;;
    stop) if [ $# = 0 ]; then stop_all; else stop_broker "$1"; fi ;;
    kill) kill_broker "$1" ;;
    freeze) signal_broker STOP "$1" ;;
    thaw) signal_broker CONT "$1" ;;
    restart) restart_broker "$1" ;;
    status) status ;;
    env) cat "$DIR/env" ;;
    tool) tool "$@" ;;
    jars)
        for VERSION in "$DEFAULT_VERSION" "$SCRAM_VERSION"; do
            LIBS=$STATE_DIR/kafka-jars/$VERSION
            fetch_jars
        done
        ;;
    *) usage ;;
    esac
}

main "$@"
