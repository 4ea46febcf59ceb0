"use strict";
/* Asks /status about once a second and shows the answer. Names, labels and errors are other people's text: they go into the page by
   textContent alone, and the page's policy would let nothing else run. */
const EVERY_MS = 1050; /* rates are over a second at least */
const PATIENCE_MS = 10000;
const ROWS = 200; /* that are shown before somebody asks for more */
const POINTS = 60; /* of a small line: answers that are kept */

const byId = (id) => document.getElementById(id);

/* -- text ------------------------------------------------------------------------------------- */

/* Shows what would be invisible, or would turn the direction of writing. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const safe = (text) => String(text ?? "").replace(UNSEEN, (c) => `<U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}>`);

function short(value) {
    const units = ["", "k", "M", "G", "T", "P"];
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return (value < 9.95 && value % 1 ? value.toFixed(1) : value.toFixed(0)) + units[unit];
}

const bytes = (value) => `${short(value)}B`.replace(/([a-zA-Z]*B)$/, " $1");

function span(seconds) {
    const units = [[86400, "d"], [3600, "h"], [60, "min"]];
    const [size, name] = units.find(([size]) => seconds >= 2 * size) ?? [1, "s"];
    return `${Math.max(0, Math.floor(seconds / size))} ${name}`;
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/* -- elements --------------------------------------------------------------------------------- */

function make(parent, tag, attributes = {}) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        node.setAttribute(name, value);
    }
    return parent.appendChild(node);
}

function put(node, text, title) {
    const shown = safe(text);
    if (node.textContent !== shown) {
        node.textContent = shown;
    }
    if (title !== undefined && node.title !== title) {
        node.title = title;
    }
}

function makeLine(parent) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = parent.appendChild(document.createElementNS(ns, "svg"));
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 80 18");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    return svg.appendChild(document.createElementNS(ns, "polyline"));
}

/* The newest value is at the right, the largest at the top. */
function draw(polyline, values, width, height) {
    const top = Math.max(1, ...values);
    const at = (value, i) =>
        `${((POINTS - values.length + i) * width / (POINTS - 1)).toFixed(1)},${(height - 1 - value / top * (height - 2)).toFixed(1)}`;
    polyline.setAttribute("points", values.map(at).join(" "));
}

/* -- tables ----------------------------------------------------------------------------------- */

/* A column: `name`; `value` of a row, to sort by; `fill` puts a row into its cell; `number`: it is one, the largest first. */
class Table {
    constructor(id, columns, noun, sort, changed) {
        this.columns = columns;
        this.noun = noun;
        this.sort = sort;
        this.down = columns[sort].number;
        this.limit = ROWS;
        this.rows = [];
        this.counted = byId(`${id}-count`);
        this.more = byId(`${id}-more`);
        this.table = byId(id);
        this.makeHead(changed);
        this.body = make(this.table, "tbody", { role: "rowgroup" });
        this.more.addEventListener("click", () => {
            this.limit += ROWS;
            changed();
        });
    }

    makeHead(changed) {
        const row = make(make(this.table, "thead", { role: "rowgroup" }), "tr", { role: "row" });
        this.heads = this.columns.map((column, i) => {
            const head = make(row, "th", { scope: "col", role: "columnheader", "class": column.number ? "number" : "" });
            const button = make(head, "button", { type: "button" });
            button.textContent = column.name;
            button.addEventListener("click", () => {
                this.down = this.sort === i ? !this.down : !!column.number;
                this.sort = i;
                changed();
            });
            return head;
        });
    }

    makeRow() {
        const node = make(this.body, "tr", { role: "row" });
        return { node, cells: this.columns.map((column) =>
            make(node, "td", { role: "cell", "data-name": column.name, "class": column.number ? "number" : "" })) };
    }

    compare(a, b) {
        const { value } = this.columns[this.sort], x = value(a), y = value(b);
        const order = x < y ? -1 : x > y ? 1 : 0;
        return (this.down ? -order : order) || (a.service < b.service ? -1 : a.service > b.service ? 1 : a.what < b.what ? -1 : a.what > b.what ? 1 : 0);
    }

    show(found, all) {
        found.sort((a, b) => this.compare(a, b));
        this.heads.forEach((head, i) => head.setAttribute("aria-sort", i !== this.sort ? "none" : this.down ? "descending" : "ascending"));
        const shown = found.slice(0, this.limit);
        while (this.rows.length > shown.length) {
            this.rows.pop().node.remove();
        }
        shown.forEach((row, i) => {
            this.rows[i] ??= this.makeRow();
            this.rows[i].node.className = row.problem ? "trouble" : "";
            this.columns.forEach((column, j) => column.fill(this.rows[i].cells[j], row));
        });
        put(this.counted, `${shown.length.toLocaleString("en")} of ${count(all, this.noun)} shown` +
            (found.length < all ? `, ${found.length.toLocaleString("en")} found` : ""));
        this.table.hidden = shown.length === 0;
        this.more.hidden = shown.length === found.length;
        put(this.more, `Show ${Math.min(ROWS, found.length - shown.length)} more`);
    }
}

/* Fills a cell with named parts that are made when they are needed, each a line of its own, and hidden when they are empty. */
function putParts(cell, parts) {
    cell.parts ??= {};
    const holder = cell.firstElementChild ?? make(cell, "div");
    for (const [name, text] of Object.entries(parts)) {
        if (text || cell.parts[name]) {
            cell.parts[name] ??= make(holder, "span", { "class": name });
            put(cell.parts[name], text);
            cell.parts[name].hidden = !text;
        }
    }
}

const what = { name: "Container or file", value: (row) => row.what,
    fill: (cell, row) => {
        putParts(cell, { what: row.what, sub: row.sub, problem: row.trouble });
        if (cell.parts.what) {
            put(cell.parts.what, row.what, safe(row.file));
        }
    } };
const service = { name: "Service", value: (row) => row.service,
    fill: (cell, row) => putParts(cell, { service: row.service, sub: row.project }) };
const plain = (name, key) => ({ name, value: (row) => row[key], fill: (cell, row) => putParts(cell, { [key]: row[key] }) });
/* Without a value it stands behind all that have one. */
const number = (name, value, text, title) => ({ name, number: true, value: (row) => value(row) ?? -1,
    fill: (cell, row) => {
        const known = value(row) !== undefined;
        cell.firstElementChild ?? make(cell, "div");
        put(cell.firstElementChild, known ? text(value(row), row) : "–", known ? title(value(row), row) : "not known");
    } });

const logColumns = [
    service, what, plain("Driver", "driver"),
    number("Position", (row) => row.position,
        (value, row) => row.offset === undefined ? `${span((now - value) / 1000)} ago` : bytes(value) + (row.unread ? ` + ${count(row.unread, "file")}` : ""),
        (value, row) => row.offset === undefined ? `read to ${row.read_to}` : `offset ${value}`),
    number("Lag", (row) => row.lag_bytes, bytes, (value) => `${value} bytes are not yet read`),
    number("Behind", (row) => row.lag_seconds, span, (value) => `${value} s`),
    { name: "Lines/s", number: true, value: (row) => row.rate,
        fill: (cell, row) => {
            const holder = cell.firstElementChild ?? make(cell, "div");
            cell.text ??= make(holder, "span");
            cell.line ??= makeLine(holder);
            put(cell.text, short(row.rate), `${row.lines} lines in all`);
            draw(cell.line, row.rates, 80, 18);
        } },
    number("Last line", (row) => row.last, (value) => `${span((now - value) / 1000)} ago`, (value, row) => row.last_line),
];

const leftColumns = [service, what, plain("Reason", "reason"), plain("Detail", "detail"), plain("Kind", "kind")];

/* -- an answer -------------------------------------------------------------------------------- */

let answer = null; /* the last one */
let now = 0; /* the collector's clock, in ms */
let logs = [], left = [];
let rates = new Map(); /* of each log, from the last answers */
const totals = [];

const timeOf = (text) => (text ? Date.parse(text) : undefined);

function takeLog(log) {
    const key = [log.id, log.file, log.container, log.service].join("\0");
    const mine = rates.get(key) ?? [];
    if (answer.rates_over_seconds > 0) {
        mine.push(log.lines_per_second);
        mine.splice(0, mine.length - POINTS);
    }
    const named = log.container ?? log.id;
    return [key, { ...log, what: named ?? log.file ?? "", sub: log.container && log.id, driver: log.driver ?? "", unread: log.unread_files,
        position: log.offset ?? timeOf(log.read_to), rate: log.lines_per_second, rates: mine, last: timeOf(log.last_line), trouble: log.problem }];
}

function takeLeft(entry) {
    const named = entry.container ?? entry.id;
    return { ...entry, service: entry.service ?? "", what: named ?? entry.file ?? "", sub: entry.container && entry.id, detail: entry.detail ?? "",
        kind: entry.problem ? "problem" : "chosen" };
}

function take(fresh) {
    answer = fresh;
    now = timeOf(fresh.time);
    const taken = fresh.logs.map(takeLog);
    rates = new Map(taken.map(([key, log]) => [key, log.rates]));
    logs = taken.map(([, log]) => log);
    left = fresh.left_out.map(takeLeft);
    if (fresh.rates_over_seconds > 0) {
        totals.push(logs.reduce((sum, log) => sum + log.rate, 0));
        totals.splice(0, totals.length - POINTS);
    }
}

/* As `sidetail status` counts them. */
function countProblems() {
    const failing = ["source", "sink", "checkpoint"].filter((key) => answer[key].state === "failing").length;
    return failing + !answer.ready + (answer.containers_too_many > 0) + [...logs, ...left].filter((row) => row.problem).length;
}

/* -- the page --------------------------------------------------------------------------------- */

const tables = {
    logs: new Table("logs", logColumns, "log", logColumns.findIndex((column) => column.name === "Lines/s"), show),
    left: new Table("left", leftColumns, "thing", 0, show),
};

const parts = Object.fromEntries(["source", "sink", "checkpoint"].map((key) => {
    const node = make(byId("parts"), "div");
    make(node, "dt").textContent = key[0].toUpperCase() + key.slice(1);
    return [key, { node, state: make(node, "dd"), error: make(node, "dd") }];
}));

function showPart(key) {
    const told = answer[key], failing = told.state === "failing", shown = parts[key];
    shown.node.className = told.state;
    shown.state.className = failing ? "bad" : "";
    put(shown.state, `${told.name ?? "–"}: ${told.state}`);
    shown.error.className = failing ? "bad" : "sub";
    const ago = told.error ? `${span((now - timeOf(told.error_time)) / 1000)} ago` : "";
    put(shown.error, !told.error ? "" : failing ? `${ago}: ${told.error}` : `${ago} it failed: ${told.error}`);
}

function showSums(problems) {
    const sum = (key) => logs.reduce((all, log) => all + (log[key] ?? 0), 0);
    put(byId("sum"), [count(logs.length, "log"), `${short(sum("rate"))} lines/s`, `${bytes(sum("lag_bytes"))} unread`, count(problems, "problem"),
        `${left.length.toLocaleString("en")} left out`].join(", ") + (answer.containers_too_many > 0
        ? `; ${count(answer.containers_too_many, "container")} too many, or described at too great length: not followed` : ""));
    draw(byId("total").firstElementChild, totals, 240, 32);
}

/* Each word must be in one of its texts. */
function finder() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = byId("problems").checked;
    const text = (row) => [row.service, row.project, row.container, row.id, row.file, row.driver, row.trouble, row.reason, row.detail].join("\n").toLowerCase();
    return (row) => (!only || row.problem) && (words.length === 0 || ((hay) => words.every((word) => hay.includes(word)))(text(row)));
}

function show() {
    if (!answer) {
        return;
    }
    const problems = countProblems(), wanted = finder();
    document.title = `${problems ? `(${problems}) ` : ""}sidetail ${location.host}`;
    put(byId("version"), `${answer.sidetail} at ${location.host}`);
    byId("ready").className = answer.ready ? "" : "bad";
    put(byId("ready"), answer.ready ? "ready" : `not ready: ${answer.fault}`);
    Object.keys(parts).forEach(showPart);
    showSums(problems);
    tables.logs.show(logs.filter(wanted), logs.length);
    tables.left.show(left.filter(wanted), left.length);
}

/* -- asking ----------------------------------------------------------------------------------- */

let paused = false, timer = 0, asking = false;

async function fetchStatus() {
    const told = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!told.ok) {
        throw new Error(`${told.status}: ${(await told.text()).slice(0, 200)}`);
    }
    const fresh = await told.json();
    if (fresh.version !== 1) {
        throw new Error(`the answer is of version ${fresh.version}, and this page knows 1: load it anew`);
    }
    return fresh;
}

/* One question at a time; a large answer is asked for less often, so that it costs the collector little. */
async function ask() {
    const began = performance.now();
    asking = true;
    try {
        take(await fetchStatus());
        byId("silent").hidden = true;
        show();
    } catch (fault) {
        put(byId("silent"), `No answer from the collector: ${fault.message}`);
        byId("silent").hidden = false;
    }
    asking = false;
    schedule(Math.max(EVERY_MS, 10 * (performance.now() - began)));
}

function schedule(wait) {
    clearTimeout(timer);
    if (!paused && !document.hidden && !asking) {
        timer = setTimeout(ask, wait);
    }
}

byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", paused);
    schedule(0);
});
document.addEventListener("visibilitychange", () => schedule(0));
byId("search").addEventListener("input", show);
byId("problems").addEventListener("change", show);
ask();
