#!/usr/bin/python3
"""Makes deploy/tail.svg, the picture of `sidetail tail` in the README: three containers of a made-up shop, sidetail in tmux,
and what stands on its screen, with its colours, as SVG. usage: tail-picture.py SIDETAIL > deploy/tail.svg"""
import html
import os
import re
import subprocess
import sys
import time

COLUMNS, ROWS = 100, 22
CELL_W, CELL_H, PAD = 8.4, 19, 16
BACKGROUND, FOREGROUND = "#1c1e26", "#d8dee9"
COLORS = ["#3b4252", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#e5e9f0"]
BRIGHT = ["#636a7d", "#ff8ba0", "#b5e886", "#f5c87f", "#8fb4ff", "#cfb0ff", "#99dcff", "#ffffff"]
SERVICES = {
    "web": """n=0; while :; do n=$((n+1)); echo "GET /cart/$n 200 12ms"; sleep 0.7; [ $((n%4)) = 0 ] &&
              echo "WARN slow answer: /checkout took 812ms" >&2; done""",
    "orders": """n=4710; while :; do n=$((n+1)); echo '{"level":"info","msg":"order placed","order":'$n',"total":"39.90"}';
              sleep 1.1; [ $((n%3)) = 0 ] && echo '{"level":"error","msg":"payment refused","order":'$n',"code":"card_expired"}'; done""",
    "db": "echo 'LOG:  database system is ready'; sleep 3; echo 'LOG:  checkpoint complete: wrote 31 buffers'; sleep 3; exit 137",
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def screen(sidetail):
    """What stands on the terminal, with its escape sequences."""
    session, project = f"picture-{os.getpid()}", f"shop{os.getpid()}"
    started = []
    try:
        for service, script in SERVICES.items():
            started.append(run("docker", "run", "-d", "--network", "none", "--name", f"{project}-{service}-1",
                               "--label", f"com.docker.compose.project={project}",
                               "--label", f"com.docker.compose.service={service}",
                               "debian:bookworm-slim", "sh", "-c", script).strip())  # fmt: skip
        run("tmux", "-L", session, "-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS + 1),
            f"{sidetail} tail -t --project {project}")  # fmt: skip
        time.sleep(9)
        return run("tmux", "-L", session, "capture-pane", "-e", "-p"), project
    finally:
        subprocess.run(["tmux", "-L", session, "kill-server"], check=False, capture_output=True)
        run("docker", "rm", "-f", *started)


def style(codes, now):
    """The style after one SGR sequence: color, background, bold, dim."""
    now = dict(now)
    for code in (int(c or 0) for c in codes.split(";")):
        if code == 0:
            now = {}
        elif code in (1, 2):
            now["bold" if code == 1 else "dim"] = True
        elif code == 22:
            now.pop("bold", None), now.pop("dim", None)
        elif code == 39:
            now.pop("color", None)
        elif code == 49:
            now.pop("background", None)
        elif 30 <= code <= 37:
            now["color"] = COLORS[code - 30]
        elif 90 <= code <= 97:
            now["color"] = BRIGHT[code - 90]
        elif 40 <= code <= 47:
            now["background"] = COLORS[code - 40]
    return now


def row_to_svg(line, number, now):
    """One row of the screen; the style that holds after it."""
    out, column, y = [], 0, PAD + 34 + number * CELL_H
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            now = style(part[2:-1], now)
            continue
        if part.strip():
            x = PAD + column * CELL_W
            looks = f'fill="{now.get("color", FOREGROUND)}"'
            looks += ' font-weight="bold"' if now.get("bold") else ""
            looks += ' opacity="0.55"' if now.get("dim") else ""
            out.append(f'<text x="{x:.1f}" y="{y}" textLength="{len(part) * CELL_W:.1f}" xml:space="preserve" {looks}>'
                       f"{html.escape(part)}</text>")  # fmt: skip
        column += len(part)
    return "".join(out), now


def main():
    text, project = screen(sys.argv[1])
    width, height = COLUMNS * CELL_W + 2 * PAD, ROWS * CELL_H + 2 * PAD + 30
    rows, now = [], {}
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines[-ROWS:]):
        row, now = row_to_svg(line, number, now)
        rows.append(row)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
          f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" '
          f'font-size="14">')  # fmt: skip
    print("<title>sidetail tail: three services, coloured and merged</title>")
    print(f'<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>')
    for number, color in enumerate(("#f7768e", "#e0af68", "#9ece6a")):
        print(f'<circle cx="{PAD + 6 + number * 20}" cy="20" r="6" fill="{color}"/>')
    print(f'<text x="{width / 2:.0f}" y="25" text-anchor="middle" fill="{FOREGROUND}" opacity="0.7">'
          f"sidetail tail -t --project {re.sub(r'[0-9]+', '', project)}</text>")  # fmt: skip
    print("\n".join(row for row in rows if row))
    print("</svg>")


main()
