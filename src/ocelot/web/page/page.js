// What Gradio's HTML parts do beyond showing HTML. Runs once for each of them, with `element`,
// `trigger`, `props`, `server`, `upload` and `watch` at hand; functions only, no text from outside
// is ever made HTML here.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 900px)");
const part = element.closest("[id^='oc-']")?.id ?? "";

// Buttons say in data-act what they are for.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  trigger("act", { ...button.dataset });
  if (button.dataset.act === "use" || button.dataset.act === "say") {
    document.querySelector("#oc-text textarea, #oc-text input")?.focus();
    if (narrow.matches) toTop(document.querySelector("#oc-ask"));
  }
});

function toTop(target) {
  target?.scrollIntoView({ behavior: still.matches ? "auto" : "smooth", block: "start" });
}

// A picture that cannot be had leaves a quiet tile.
element.addEventListener("error", (event) => {
  if (event.target.tagName === "IMG") event.target.classList.add("gone");
}, true);
element.addEventListener("load", (event) => {
  if (event.target.tagName === "IMG") event.target.classList.remove("gone");
}, true);

if (part === "oc-header") anywhere();
if (part === "oc-results") results();
if (part === "oc-add") adding();

// A picture may be pasted or dropped anywhere; elsewhere it would take the page's place.
function anywhere() {
  const give = (files, event) => {
    const file = [...files].find((one) => one.type.startsWith("image/"));
    const input = document.querySelector("#oc-picture input[type=file]");
    if (!file || !input) return;
    event.preventDefault();
    const given = new DataTransfer();
    given.items.add(file);
    input.files = given.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("paste", (event) => give(event.clipboardData.files, event));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    const place = event.target.closest("#oc-picture, #oc-add");
    if (event.defaultPrevented || place) return;
    event.preventDefault();
    give(event.dataTransfer.files, event);
  });
}

function results() {
  const open = new Set();
  let places = new Map();
  element.addEventListener("toggle", (event) => {
    const key = event.target.dataset?.key;
    if (key) event.target.open ? open.add(key) : open.delete(key);
  }, true);

  const cards = () => [...element.querySelectorAll("[data-id].card, [data-id].winner")];
  const measure = () => {
    const home = element.getBoundingClientRect();
    return new Map(cards().map((card) => {
      const box = card.getBoundingClientRect();
      return [card.dataset.id, { x: box.x - home.x, y: box.y - home.y }];
    }));
  };

  watch("value", () => {
    for (const details of element.querySelectorAll("details[data-key]")) {
      if (open.has(details.dataset.key)) details.open = true;
    }
    const now = measure();
    if (!still.matches) {
      for (const card of cards()) {
        const was = places.get(card.dataset.id), is = now.get(card.dataset.id);
        if (!was || (was.x === is.x && was.y === is.y)) continue;
        const from = `translate(${was.x - is.x}px, ${was.y - is.y}px)`;
        card.animate([{ transform: from }, { transform: "none" }],
          { duration: 450, easing: "cubic-bezier(.2, .7, .2, 1)" });
      }
    }
    places = now;
    // On a small screen the answer is below: show that it is there.
    const found = document.querySelector("#oc-found");
    if (narrow.matches && element.querySelector(".place")
        && found.getBoundingClientRect().top > innerHeight * 0.6) toTop(found);
  });
}

function adding() {
  const input = element.querySelector("input[type=file]");
  const drop = element.querySelector(".drop");
  const report = element.querySelector(".report");
  const most = Number(drop.dataset.most);
  element.querySelector(".choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  }
  drop.addEventListener("drop", (event) => add([...event.dataTransfer.files]));

  async function add(files) {
    if (!files.length) return;
    const bar = Object.assign(document.createElement("progress"), { max: files.length, value: 0 });
    const line = document.createElement("p"), bad = document.createElement("ul");
    bar.setAttribute("aria-label", "Pictures added");
    report.replaceChildren(bar, line, bad);
    let fresh = 0, known = 0, done = 0;
    const say = () => {
      const parts = [`${fresh} of ${files.length} added`];
      if (known) parts.push(`${known} already there`);
      if (bad.children.length) parts.push(`${bad.children.length} could not be used`);
      line.textContent = `${parts.join(", ")}${done < files.length ? "…" : "."}`;
      bar.value = done;
    };
    const one = async (file) => {
      let answer;
      if (file.size > most) answer = { reason: `it is larger than ${Math.round(most / 2 ** 20)} MB.` };
      else try {
        // Under a name of its own: it is removed once it is added.
        const copy = new File([file], Math.random().toString(36).slice(2), { type: file.type });
        const { path } = await upload(copy);
        answer = await server.add(path);
      } catch (error) {
        answer = { reason: String(error?.message ?? error) };
      }
      if (answer.reason) {
        const item = document.createElement("li"), name = document.createElement("b");
        name.textContent = file.name;
        item.append(name, `: ${answer.reason}`);
        bad.append(item);
      } else if (answer.added) fresh += 1;
      else known += 1;
      done += 1;
      say();
    };
    say();
    const waiting = [...files];
    const lane = async () => { while (waiting.length) await one(waiting.shift()); };
    await Promise.all([lane(), lane(), lane()]);
    bar.remove();
    if (fresh) trigger("act", { act: "added" });
  }
}
