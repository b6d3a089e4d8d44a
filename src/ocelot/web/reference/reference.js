"use strict";

// Sends what the forms hold and shows the answers. The key stays in the page's memory.

const key = document.getElementById("key");

function address(form) {
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input[data-in]")) {
    if (input.dataset.in === "path") {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (input.dataset.in === "query" && input.value) {
      query.append(input.name, input.value);
    }
  }
  return query.size ? `${path}?${query}` : path;
}

function headers(form) {
  const found = key.value ? { "X-API-Key": key.value } : {};
  for (const input of form.querySelectorAll("input[data-in='header']")) {
    if (input.value) found[input.name] = input.value;
  }
  if (form.elements.body) found["Content-Type"] = form.dataset.type;
  return found;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function show(response, output) {
  const status = document.createElement("p");
  status.textContent = `${response.status} ${response.statusText}`;
  let shown;
  if ((response.headers.get("Content-Type") ?? "").startsWith("image/")) {
    shown = document.createElement("img");
    shown.alt = "The picture that was sent back";
    shown.src = URL.createObjectURL(await response.blob());
  } else {
    shown = document.createElement("pre");
    shown.textContent = pretty(await response.text());
  }
  output.replaceChildren(status, shown);
}

async function send(form) {
  const output = form.querySelector("output");
  output.textContent = "…";
  try {
    const body = form.elements.body?.value;
    const options = { method: form.dataset.method, headers: headers(form), body };
    await show(await fetch(address(form), options), output);
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
}

// The first text of the body that is named base64 becomes the picture.
async function insert(input) {
  const bytes = new Uint8Array(await input.files[0].arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const body = input.form.elements.body;
  body.value = body.value.replace(/("base64":\s*)"[^"]*"/, `$1"${btoa(text)}"`);
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target);
});
document.addEventListener("change", (event) => {
  if (event.target.type === "file" && event.target.files.length) insert(event.target);
});
