"""Other collectors, set up as their manuals have it: each follows a json-file log, or all that a pattern names, and ships the
lines as JSON."""

import re
import shutil
import subprocess

RSYSLOG = """global(workDirectory="{work}/state")
module(load="imfile" mode="inotify")
module(load="mmjsonparse")
{load}
main_queue({queue})
template(name="record" type="list") {{
  constant(value="{{\\"time\\":\\"") property(name="$!time") constant(value="\\",\\"service\\":\\"web\\",\\"stream\\":\\"")
  property(name="$!stream") constant(value="\\",\\"log\\":\\"") property(name="$!log" format="json") constant(value="\\"}}{end}")
}}
ruleset(name="records") {{
  action(type="mmjsonparse" cookie="")
  {action}
}}
input(type="imfile" file="{log}" tag="web" ruleset="records" freshStartTail="off" persistStateInterval="{persist}"
  persistStateAfterSubmission="{flush}")
"""

FLUENT_BIT = """[SERVICE]
    flush 0.2
    log_level error
    parsers_file {work}/parsers.conf
[INPUT]
    name tail
    path {log}
    inotify_watcher {inotify}
    parser docker
    tag web
    read_from_head on
    db {work}/positions.db
    db.sync {sync}
    mem_buf_limit 32M
    buffer_chunk_size 256k
    buffer_max_size 1M
[FILTER]
    name modify
    match *
    set service web
[OUTPUT]
    match *
{output}
"""
PARSER = """[PARSER]
    name docker
    format json
    time_key time
    time_format %Y-%m-%dT%H:%M:%S.%L
    time_keep on
"""

LIBRDKAFKA = {"compression.codec": "lz4", "acks": "all", "enable.idempotence": "true"}


def _rsyslog(work, log, careful=False, **output):
    (work / "state").mkdir(exist_ok=True)
    (work / "pid").unlink(missing_ok=True)  # a killed one leaves it, and the next would not start
    # Careful: no queue in memory, and a position kept every 100 lines once they are written.
    queue, flush, persist = ('queue.type="Direct"', "on", 100) if careful else ('queue.dequeueBatchSize="4096"', "off", 0)
    (work / "rsyslog.conf").write_text(RSYSLOG.format(work=work, log=log, queue=queue, flush=flush, persist=persist, **output))
    return ["rsyslogd", "-n", "-f", work / "rsyslog.conf", "-i", work / "pid"]


def rsyslog_to_file(work, log, out, careful=False, at_once=False):
    flush = "on" if careful or at_once else "off"
    action = f'action(type="omfile" file="{out}" template="record" ioBufferSize="256k" flushOnTXEnd="{flush}")'
    return _rsyslog(work, log, careful, load="", end="\\n", action=action)


def rsyslog_to_kafka(work, log, broker, topic):
    settings = ", ".join(f'"{key}={value}"' for key, value in LIBRDKAFKA.items())
    action = f'action(type="omkafka" broker=["{broker}"] topic="{topic}" template="record" confParam=[{settings}])'
    return _rsyslog(work, log, load='module(load="omkafka")', end="", action=action)


def _fluent_bit(work, log, careful=False, inotify="true", **output):
    lines = "\n".join(f"    {key} {value}" for key, value in output.items())
    (work / "parsers.conf").write_text(PARSER)
    (work / "fluent-bit.conf").write_text(FLUENT_BIT.format(work=work, log=log, sync="full" if careful else "normal", inotify=inotify, output=lines))
    return ["fluent-bit", "-q", "-c", work / "fluent-bit.conf"]


def fluent_bit_to_file(work, log, out, careful=False):
    return _fluent_bit(work, log, careful, name="file", path=out.parent, file=out.name, format="plain")


def fluent_bit_to_kafka(work, log, broker, topic):
    settings = {f"rdkafka.{key}": value for key, value in LIBRDKAFKA.items()}
    return _fluent_bit(work, log, name="kafka", brokers=broker, topics=topic, format="json", **settings)


def fluent_bit_to_stdout(work, log):
    return _fluent_bit(work, log, name="stdout", format="json_lines")


def fluent_bit_without_inotify(work, log):
    return _fluent_bit(work, log, inotify="false", name="stdout", format="json_lines")


def rsyslog_to_stdout(work, log):
    return rsyslog_to_file(work, log, "/dev/stdout", at_once=True)


PROGRAMS = {"Fluent Bit": "fluent-bit", "Fluent Bit, no inotify": "fluent-bit", "rsyslog": "rsyslogd"}
TO_STDOUT = {"Fluent Bit": fluent_bit_to_stdout, "Fluent Bit, no inotify": fluent_bit_without_inotify, "rsyslog": rsyslog_to_stdout}
TO_FILE = {"Fluent Bit": fluent_bit_to_file, "rsyslog": rsyslog_to_file}
TO_KAFKA = {"Fluent Bit": fluent_bit_to_kafka, "rsyslog": rsyslog_to_kafka}


def version(program):
    said = subprocess.run([program, "--version" if program != "rsyslogd" else "-v"], capture_output=True, text=True).stdout
    return re.search(r"\d+\.\d+\.\d+\S*|[0-9a-f]{7,}|\d+\.\d+", said)[0].rstrip(",")


def installed(ways):
    """Those of `ways` (one of the three above) whose programs are on the PATH; says which are not."""
    found = {name: way for name, way in ways.items() if shutil.which(PROGRAMS[name])}
    for name in ways.keys() - found.keys():
        print(f"({name} is not installed: not compared with it)")
    return found
