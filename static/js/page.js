/* What makes plain pages smooth: the live sign, relative times, keys. Every page works without it. */
"use strict";

const SILENCE_MS = 25000;
const ASK_MS = 5000;
let heardAt = 0;
let deaf = false;

function showLive() {
  const sign = document.getElementById("live");
  if (!sign) return;
  const live = !deaf && Date.now() - heardAt < SILENCE_MS;
  const words = live ? "Live" : heardAt || performance.now() > 5000 ? "Not live: reload to see what is new" : "Connecting";
  const value = live ? "yes" : words === "Connecting" ? "" : "no";
  if (sign.dataset.live === value) return;
  sign.dataset.live = value;
  sign.firstElementChild.textContent = words;
}

function hear(isDeaf) {
  heardAt = Date.now();
  deaf = isDeaf;
  showLive();
}

document.addEventListener("faultline-changed", (event) => { if (event.detail !== "asked") hear(false); });
document.addEventListener("faultline-beat", () => hear(false));
document.addEventListener("faultline-deaf", () => hear(true));
document.addEventListener("htmx:sse:error", () => { deaf = true; heardAt ||= 1; showLive(); });
document.addEventListener("htmx:sse:after:connection", () => hear(false));
setInterval(showLive, 2000);

/* Where nobody tells it what changed, the page asks. */
setInterval(() => {
  const sign = document.getElementById("live");
  if (sign?.dataset.live === "no" && !document.hidden) document.body.dispatchEvent(new CustomEvent("faultline-changed", { detail: "asked" }));
}, ASK_MS);

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function ago(seconds) {
  if (Math.abs(seconds) < 5) return "just now";
  const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size);
  const words = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

/* Relative, or exact in UTC after a press of `u`; in the reader's own zone on hover. */
function timeWords(time) {
  if (document.body.dataset.times === "utc") return time.dateTime.slice(0, 19).replace("T", " ");
  return ago((Date.now() - Date.parse(time.dateTime)) / 1000);
}

function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = timeWords(time);
    if (time.textContent !== words) time.textContent = words;
  }
}
setInterval(refreshTimes, 5000);

document.addEventListener("pointerover", (event) => {
  const time = event.target.closest?.("time");
  if (!time || time.title.includes("here")) return;
  time.title += `, ${new Date(time.dateTime).toLocaleString(undefined, { timeStyle: "medium", dateStyle: "medium" })} here`;
});

const GOES = { n: "/", i: "/incidents", h: "/hosts", d: "/deploys" };
let wentAt = 0;

function writing(target) {
  return target.closest?.("input, textarea, select, [contenteditable], dialog[open]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
  if (Date.now() - wentAt < 1200 && GOES[event.key]) {
    event.preventDefault();
    location.assign(GOES[event.key]);
  } else if (event.key === "g") {
    wentAt = Date.now();
  } else if (event.key === "/") {
    event.preventDefault();
    document.getElementById("find")?.focus();
  } else if (event.key === "n") {
    const note = document.getElementById("note");
    if (note) { event.preventDefault(); note.focus(); note.scrollIntoView({ block: "center" }); }
  } else if (event.key === "u") {
    document.body.dataset.times = document.body.dataset.times === "utc" ? "" : "utc";
    refreshTimes();
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) await copy(button, document.getElementById(button.dataset.copy));
  if (event.target.closest("[data-keys]")) document.getElementById("keys").showModal();
  const every = event.target.closest("[data-every]");
  if (every) for (const box of document.querySelectorAll(`input[name="${every.dataset.every}"]`)) box.checked = every.checked;
});

/* A browser hands out its clipboard on secure pages alone; elsewhere the text is chosen, ready for Ctrl-C. */
async function copy(button, source) {
  if (!navigator.clipboard) return getSelection().selectAllChildren(source);
  await navigator.clipboard.writeText(source.textContent.trim());
  button.textContent = "Copied";
}

/* The button says how many it is about. */
function countChosen() {
  for (const button of document.querySelectorAll("button[data-count]")) {
    const count = button.form.querySelectorAll(`input[name="${button.dataset.count}"]:checked`).length;
    const words = button.dataset.words.replace("#", count) + (count === 1 ? "" : "s");
    if (count && button.textContent !== words) button.textContent = words;
  }
}

document.addEventListener("change", (event) => {
  countChosen();
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

/* A confirmed form cannot be sent again by a second click; the rows on the server guard it in any case. */
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
document.addEventListener("htmx:finally:request", () => {
  for (const button of document.querySelectorAll("form button[disabled]")) button.disabled = false;
});
/* Where the runbook scrolls by itself, the step whose turn it is stands in sight. */
let turn = "";
function showTurn() {
  const step = document.querySelector(".step.turn");
  if (!step || step.id === turn) return;
  turn = step.id;
  const side = step.closest(".side");
  side.scrollTop += step.getBoundingClientRect().top - side.getBoundingClientRect().top - 90;
}
document.addEventListener("DOMContentLoaded", showTurn);

/* What was sent is not to be sent again by accident. */
let sent = null;
document.addEventListener("htmx:after:swap", () => {
  refreshTimes();
  countChosen();
  showTurn();
  const form = document.querySelector("form[data-clear]");
  if (form && form === sent && !document.querySelector("#words [data-tone='error']")) form.reset();
  if (form === sent) sent = null;
});
document.addEventListener("htmx:config:request", (event) => {
  const source = event.detail.ctx.sourceElement;
  if (source.matches?.("form[data-clear]")) sent = source;
});
