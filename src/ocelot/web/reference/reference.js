"use strict";

// Sends what the forms hold and shows the answers. The key stays in the page's memory.

const key = document.getElementById("key");

function requestOf(form) {
  const query = new URLSearchParams();
  const headers = key.value ? { "X-API-Key": key.value } : {};
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input[data-in]")) {
    if (input.dataset.in === "path") {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (input.value && input.dataset.in === "query") {
      query.append(input.name, input.value);
    } else if (input.value) {
      headers[input.name] = input.value;
    }
  }
  const body = form.elements.body?.value;
  if (body !== undefined) headers["Content-Type"] = form.dataset.type;
  return new Request(`${path}?${query}`, { method: form.dataset.method, headers, body });
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(form) {
  const output = form.querySelector("output");
  const status = document.createElement("p");
  output.replaceChildren(status);
  try {
    const response = await fetch(requestOf(form));
    status.textContent = `${response.status} ${response.statusText}`;
    const isPicture = response.headers.get("Content-Type")?.startsWith("image/");
    const shown = document.createElement(isPicture ? "img" : "pre");
    if (isPicture) shown.src = URL.createObjectURL(await response.blob());
    else shown.textContent = pretty(await response.text());
    output.append(shown);
  } catch (error) {
    status.textContent = `No answer: ${error.message}`;
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
