// What people do: writing, copying, keys; and what htmx brings, put in place.
import { box, byId, follow, offer, plain, refreshTimes, tidy, upsert } from "./messages.js";
import "./live.js";
const [form, input, dialog, sidebar] = ["composer", "message", "dialog", "sidebar"].map(byId);
const draft = `draft:${document.body.dataset.viewer}:${location.pathname}`;
const byTouch = matchMedia("(pointer: coarse)").matches;
let [outbox, failed, fromEnd, timer, card] = [[], null, 0];
const beforeCursor = () => input.value.slice(0, input.selectionStart);
function write(text, kept = text) {
  input.value = text;
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
  localStorage.setItem(draft, kept);
  if (box) offer();
}
// A prompt, or a name in place of what is being typed of it.
function insert(button, { text } = button.dataset) {
  const from = text.startsWith("@") ? beforeCursor().replace(/@\w*$/, "").length : input.selectionStart;
  input.setRangeText(text, from, input.selectionEnd, "end");
  button.closest("[popover]").hidePopover();
  write(input.value);
  input.focus();
}
// Sent too fast: what was written stays, and Send comes back by itself.
function hold(seconds) {
  const waits = (byId("send").disabled = seconds > 0);
  byId("wait").textContent = waits ? `You can send again in ${seconds} s` : "";
  timer = clearTimeout(timer) ?? (waits && setTimeout(hold, 1000, seconds - 1));
}
// Runs before htmx sees the form: what is in the box now is what this request sends.
function compose(event) {
  const text = input.value;
  event.preventDefault();
  if (!text.trim() || byId("send").disabled) return event.stopImmediatePropagation();
  // A new UUID, but for the same text after a failure: it may have arrived.
  const client_key = failed?.text === text ? failed.client_key : URL.createObjectURL(new Blob()).slice(-36);
  outbox.push({ text, client_key });
  if (!box) return ([failed] = outbox.slice(-1));
  const article = byId("own-message").content.firstElementChild.cloneNode(true);
  article.querySelector(".body").textContent = text;
  Object.assign(article.dataset, { clientKey: client_key, time: new Date().toISOString() });
  box.append(article);
  tidy();
  write("", text);
  follow(true);
}
function answered({ successful, requestConfig, xhr }) {
  const { text, client_key } = requestConfig.parameters;
  const sending = box?.querySelector(`.sending[data-client-key="${client_key}"]`);
  failed = successful || (box && !sending) ? null : { text, client_key };
  if (successful) write(box ? input.value : ""), box?.querySelector(".newer") && location.assign(location.pathname);
  else if (sending) write(input.value ? `${text}\n${input.value}` : text);
  sending?.remove();
  if (!successful) hold(Number(xhr.getResponseHeader("Retry-After")));
}
async function copy(button) {
  const source = button.closest(".code")?.querySelector("pre") ?? button.closest("article").querySelector(".body");
  await navigator.clipboard.writeText(plain(source));
  byId("announcer").textContent = button.dataset.copied = "Copied";
  setTimeout(() => delete button.dataset.copied, 1500);
}
addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.dataset.dismiss) button.closest(button.dataset.dismiss).remove();
  else if (button?.matches(".copy-code, .copy-message")) copy(button);
  else if (button?.matches(".starter")) write(button.value);
  else if (button?.id === "jump") follow(true);
  else if (button?.dataset.text) insert(button);
});
addEventListener("keydown", (event) => {
  const { code, key, shiftKey, target } = event;
  const enters = key === "Enter" && target === input && !shiftKey && !byTouch;
  if (enters && !event.isComposing && event.keyCode !== 229) form.requestSubmit();
  else if (key === "/" && !target.matches("input, textarea, select")) byId("search")?.focus();
  else if (code === "KeyO" && shiftKey && (event.ctrlKey || event.metaKey)) location.assign("/chat/");
  else if (key === "Escape" && !document.querySelector("dialog[open], :popover-open"))
    return document.querySelector(".edit-form [data-dismiss], #stop:not([hidden])")?.click();
  else return;
  event.preventDefault();
});
addEventListener("htmx:beforeSwap", ({ detail }) => {
  fromEnd = detail.target.matches(".older") ? box.scrollHeight - box.scrollTop : 0;
  if (detail.isError || !detail.requestConfig.elt.matches("[data-upsert]")) return;
  detail.shouldSwap = false;
  upsert(detail.xhr.responseText);
});
// After every request; a swap is done by now. What is asked inside the dialog never opens it again.
addEventListener("htmx:afterRequest", ({ detail }) => {
  const { elt, requestConfig, successful, target, xhr } = detail;
  if (xhr.status === 0) byId("notices").append(byId("offline-notice").content.cloneNode(true));
  if (successful && requestConfig.elt.matches("[aria-haspopup]") && !dialog.open) dialog.showModal();
  if (elt.closest("dialog") && (successful ? "closes" in elt.dataset : !xhr.status || !dialog.contains(target))) dialog.close();
  if (elt === form) answered(detail);
  if (box) tidy();
  if (fromEnd) [box.scrollTop, fromEnd] = [box.scrollHeight - fromEnd, 0];
  refreshTimes();
});
// A card of a board that is dropped on a column moves as its own menu would move it.
addEventListener("dragstart", ({ target }) => (card = target.closest?.("[draggable]")));
for (const type of ["dragover", "drop"])
  addEventListener(type, (event) => {
    const [column, menu] = [event.target.closest?.("[data-column]"), card?.querySelector("select")];
    if (!column || !menu) return;
    event.preventDefault();
    if (type === "drop") menu.dispatchEvent(new Event("change", { bubbles: !!(menu.value = column.dataset.column) }));
  });
// The threads at the side are a popover on narrow screens; what lies behind is out of reach.
sidebar?.addEventListener("toggle", ({ newState }) => (byId("main").inert = newState === "open"));
matchMedia("(min-width: 768px)").addEventListener("change", () => sidebar?.hidePopover());
setInterval(refreshTimes, 30_000);
document.querySelector(`[name="theme"][value="${document.documentElement.dataset.theme}"]`)?.click();
if (form) {
  form.addEventListener("submit", compose, true);
  form.addEventListener("htmx:configRequest", ({ detail }) => detail.elt === form && Object.assign(detail.parameters, outbox.shift()));
  input.addEventListener("input", () => write(input.value) ?? byId("names")?.togglePopover(/(^|\s)@\w*$/.test(beforeCursor())));
  write(input.value || (localStorage.getItem(draft) ?? ""));
  hold(Number(form.dataset.wait ?? 0));
  if (!byTouch) input.focus({ preventScroll: true });
}
if (box) tidy();
refreshTimes();
