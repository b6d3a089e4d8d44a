// What the page does beyond plain links and forms. Every link and form works without this, and
// each question is a page of its own, so a late answer can never reach a newer one.

const here = new URL(location);  // a dialog changes the address
const texts = JSON.parse(document.body.dataset.texts);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// HTML of the server, with its links made whole: the address of the page may change meanwhile.
function read(html, base) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const name of ["href", "src", "action"]) {
    for (const one of all(`[${name}]`, page)) one.setAttribute(name, new URL(one.getAttribute(name), base));
  }
  return page;
}

// --- the order of a slow reranker ---

const answer = $("#answer");
let stream, tries = 0;

function listen() {
  if (!$("#status.busy") || stream) return;
  const url = new URL(`verdict${here.search}`, here);
  stream = new EventSource(url);
  stream.addEventListener("open", () => { tries = 0; status(judging); });
  stream.addEventListener("verdict", (event) => {
    hush();
    const { question, html } = JSON.parse(event.data);
    if (question === answer.dataset.question) ranked(read(html, url));
  });
  stream.addEventListener("error", async () => {
    status(say("lost"));
    if (stream?.readyState !== EventSource.CLOSED) return;  // it comes back by itself
    hush();
    const signed = await fetch(import.meta.url, { method: "HEAD", cache: "no-store" })
      .then((reply) => reply.status !== 401, () => true);
    if (!signed) return stop(say("ended"), say("login"));
    if (++tries > 8) return stop(say("gone"), say("again"));
    setTimeout(listen, 500 * 2 ** Math.min(tries, 5));
  });
}

function hush() {
  stream?.close();
  stream = undefined;
}

const judging = $("#status span")?.textContent;
function status(text) {
  const line = $("#status.busy span");
  if (line) line.textContent = text;
}

function stop(text, link) {
  const line = $("#status");
  line.classList.remove("busy");
  line.replaceChildren(make("span", { textContent: text }), make("a", { href: here, textContent: link }));
  $("#slot")?.setAttribute("aria-busy", "false");
}

// Put the verdict in the place of the order of similarity; results that were loaded later stay.
function ranked(page) {
  const places = measure();
  all("#panels details").forEach((one, n) => { all("#panels details", page)[n].open = one.open; });
  // The elements stay, so that screen readers say the new status and the focus is not lost.
  for (const id of ["status", "notes", "slot", "title", "panels"]) {
    const fresh = $(`#${id}`, page), old = $(`#${id}`);
    if (!fresh || !old) continue;
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    old.replaceChildren(...fresh.childNodes);
  }
  const list = $("#hits"), fresh = $("#hits", page);
  if (list && fresh) {
    all("[data-first]", list).forEach((one) => one.remove());
    list.prepend(...all("[data-first]", fresh));
    list.start = fresh.start;
  }
  move(places);
}

const cards = () => all("#answer [data-id]");
const measure = () => new Map(cards().map((one) => [one.dataset.id, one.getBoundingClientRect()]));
function move(places) {
  if (still.matches) return;
  for (const card of cards()) {
    const was = places.get(card.dataset.id), is = card.getBoundingClientRect();
    if (!was || (was.x === is.x && was.y === is.y)) continue;
    card.animate([{ transform: `translate(${was.x - is.x}px, ${was.y - is.y}px)` }, { transform: "none" }],
      { duration: 450, easing: "cubic-bezier(.2, .7, .2, 1)" });
  }
}

// What was found or went wrong has the focus, and is in view; a page that is shown again stays
// where it was.
const said = $("[data-focus]"), [visit] = performance.getEntriesByType("navigation");
function show(line) {
  line.focus();
  if (matchMedia("(max-width: 900px)").matches) line.scrollIntoView();
}
if (said && !location.hash) {
  if (visit?.type === "navigate") show(said); else said.focus({ preventScroll: true });
}

// A page that is left asks for nothing more; the browser may show it again as it was.
addEventListener("pagehide", hush);
addEventListener("pageshow", (event) => {
  if (event.persisted) $("#ask")?.reset();  // to the question that the page answers
  listen();
});

// --- more results while scrolling ---

const more = $("#more");
if (more) {
  let loading = false;
  const load = async (event) => {
    event?.preventDefault();
    if (loading) return;
    loading = true;
    const url = new URL(more.href), shown = url.search;
    try {
      const reply = await fetch(new URL(`more${shown}`, url));
      if (!reply.ok) {  // a click leads to the page that says why
        more.removeEventListener("click", load);
        return seen.disconnect();
      }
      const page = read(await reply.text(), new URL("./", url));
      const known = new Set(cards().map((one) => one.dataset.id)), next = $("body > a", page);
      const fresh = all("li", page).filter((one) => !known.has(one.dataset.id));
      $("#hits").append(...fresh);
      history.replaceState(history.state, "", shown);
      if (event && fresh.length) $("a", fresh[0]).focus();
      if (next) more.href = next.href; else more.closest("p").remove();
    } finally { loading = false; }
    seen.unobserve(more);
    if (more.isConnected) seen.observe(more);  // perhaps it is still in view
  };
  const seen = new IntersectionObserver((entries) => { if (entries[0].isIntersecting) load(); },
    { rootMargin: "600px" });
  addEventListener("scroll", () => seen.observe(more), { passive: true, once: true });
  more.addEventListener("click", load);
}

// --- asking ---

const ask = $("#ask");
if (ask) {
  const files = all("input[type=file]", ask);
  ask.addEventListener("change", ({ target }) => {
    if (target.files?.length || "now" in target.dataset) ask.requestSubmit();
  });
  $("#text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask.requestSubmit();
  });
  // Without pictures the answer needs no redirect, and its link holds no empty parts.
  ask.addEventListener("submit", (event) => {
    const pictures = files.flatMap((one) => [...one.files]), most = Number(ask.dataset.most);
    if (pictures.reduce((sum, one) => sum + one.size, 0) > most) {
      event.preventDefault();
      for (const one of files) one.value = "";
      complain(`${pictures.map((one) => one.name).join(", ")}: ${large(most)}`);
    }
    // Where nothing is given, the server says what to give.
    const asks = all("input[name], textarea", ask).some((one) => one.value && one.type !== "file");
    ask.method = asks && !pictures.length ? "get" : "post";
  });
  ask.addEventListener("formdata", ({ formData }) => {
    if (ask.method === "post") return;
    for (const [name, value] of [...formData]) {
      if (!value || value instanceof File || (name === "weight" && value === "50")) formData.delete(name);
    }
  });
  // Words that were typed and not sent yet go along with a filter.
  ask.addEventListener("click", (event) => {
    const chip = event.target.closest("#filters a.chip, .choices a"), text = $("#text").value.trim();
    if (!chip || text === $("#text").defaultValue.trim()) return;
    const url = new URL(chip.href);
    url.searchParams.set("text", text);
    chip.href = url;
  });
  if (location.hash === "#text") {
    $("#text").focus();
    $("#text").select();
  }

  // A picture may be pasted or dropped anywhere; elsewhere it would take the page's place.
  const give = (found, event) => {
    const pictures = [...found].filter((one) => one.type.startsWith("image/") || /\.(hei[cf]|avif|tiff?)$/i.test(one.name));
    if (!pictures.length) return;
    event.preventDefault();
    const target = event.target.closest?.("#adding") ? $("#add input[type=file]") : files[0];
    const list = new DataTransfer();
    pictures.forEach((one) => list.items.add(one));
    target.files = list.files;
    target.dispatchEvent(new Event("change", { bubbles: true }));
  };
  addEventListener("paste", (event) => give(event.clipboardData.files, event));
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => { event.preventDefault(); document.body.classList.add("over"); });
  }
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", (event) => {
    document.body.classList.remove("over");
    event.preventDefault();
    give(event.dataTransfer.files, event);
  });
}

const large = (most) => say("large", { size: Math.round(most / 2 ** 20) });

function complain(text) {
  $("#found > .notice")?.remove();
  const line = make("p", { className: "notice", textContent: text, role: "alert", tabIndex: -1, dir: "auto" });
  $("#found").prepend(line);
  show(line);
}

// --- dialogs: the page of an item or of a crop, over the answer ---

let dialog;
async function open(href, push) {
  const reply = await fetch(href).catch(() => null);
  const article = reply?.ok && $("main > article", read(await reply.text(), reply.url));
  if (!article) { location = href; return; }  // signed out, or an error: the server says which
  dialog?.remove();
  const close = make("button", { type: "button", className: "icon close", textContent: "×", ariaLabel: say("close") });
  dialog = make("dialog", {}, close, article);
  dialog.setAttribute("aria-labelledby", article.getAttribute("aria-labelledby"));
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close());
  dialog.setAttribute("closedby", "any");
  dialog.addEventListener("close", () => { if (history.state?.dialog) history.back(); });
  if (push) history.pushState({ dialog: href }, "", href);
  dialog.showModal();
  prepare(dialog);
}
addEventListener("popstate", (event) => {
  const href = event.state?.dialog;
  if (href) open(href, false);
  else if (dialog?.open) dialog.close();
});
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link.href, true);
});

function prepare(root) {
  for (const button of all("[data-copy]", root)) {
    button.addEventListener("click", async () => {
      const url = new URL(button.dataset.copy, document.baseURI).href;
      await navigator.clipboard?.writeText(url).catch(() => {});
      button.textContent = say("copied");
    });
  }
  for (const place of all(".cropping", root)) cropping(place, $("form", place.closest("article")));
}

function cropping(place, form) {
  const box = $(".box", place);
  const fields = ["left", "top", "width", "height"].map((name) => form.elements[name]);
  const draw = () => {
    box.hidden = false;
    for (const field of fields) box.style[field.name] = `${field.value}%`;
  };
  for (const field of fields) field.addEventListener("input", draw);
  const at = (event) => {
    const area = place.getBoundingClientRect();
    const part = (value, from, size) => Math.min(100, Math.max(0, 100 * (value - from) / size));
    return [part(event.clientX, area.x, area.width), part(event.clientY, area.y, area.height)];
  };
  let start;
  place.addEventListener("pointerdown", (event) => { start = at(event); place.setPointerCapture(event.pointerId); });
  place.addEventListener("pointermove", (event) => {
    if (!start) return;
    const end = at(event);
    const values = [0, 1].map((n) => Math.min(start[n], end[n]));
    values.push(...[0, 1].map((n) => Math.abs(start[n] - end[n])));
    fields.forEach((field, n) => { field.value = values[n].toFixed(1); });
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => { start = undefined; });
}
prepare(document);

// --- adding many pictures, one at a time and three at once ---

const add = $("#add");
if (add) {
  const input = $("input[type=file]", add), report = $("#adding .report"), most = Number(ask.dataset.most);
  $("button", add).hidden = true;
  input.addEventListener("change", () => { send([...input.files]); input.value = ""; });
  async function send(files) {
    if (!files.length) return;
    const bar = make("progress", { max: files.length, value: 0, ariaLabel: texts.added.replace(/\{\w+\}/g, "") });
    const line = make("p"), bad = make("ul");
    report.replaceChildren(bar, line, bad);
    let added = 0, known = 0, done = 0;
    const tell = () => {
      const parts = [say("added", { added, total: files.length })];
      if (known) parts.push(say("known", { known }));
      if (bad.children.length) parts.push(say("failed", { failed: bad.children.length }));
      line.textContent = parts.join(", ") + (done < files.length ? "…" : ".");
      bar.value = done;
    };
    const one = async (file) => {
      let reason = file.size > most ? large(most) : "";
      if (!reason) try {
        const body = new FormData();
        body.append("picture", file, file.name);
        const reply = await fetch(add.action, { method: "POST", body, headers: { Accept: "application/json" } });
        const told = await reply.json();
        if (reply.ok) { added += told.added; known += told.known; reason = told.failures[0]?.[1]; }
        else reason = reply.status === 401 ? say("ended") : told.detail;
      } catch (error) { reason = String(error.message ?? error); }
      if (reason) bad.append(make("li", {}, make("b", { textContent: file.name }), `: ${reason}`));
      done += 1;
      tell();
    };
    tell();
    const waiting = [...files];
    const lane = async () => { while (waiting.length) await one(waiting.shift()); };
    await Promise.all([lane(), lane(), lane()]);
    bar.remove();
    if (added) freshen();
  }
  // The collection has grown: what is said of it is read again, and an answer stays.
  async function freshen() {
    const reply = await fetch(here).catch(() => null);
    if (!reply?.ok) return;
    const page = read(await reply.text(), reply.url), held = $(".held", page);
    if (held) $(".held").replaceWith(held);
    if (!answer) $("#found").replaceWith($("#found", page));
  }
}

// A picture that cannot be had leaves a quiet tile.
addEventListener("error", (event) => { if (event.target.tagName === "IMG") event.target.classList.add("gone"); }, true);
