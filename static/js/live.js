// The socket: records of what changed, applied in order, asked for again where one is missing.
import { box, byId, follow, isAtEnd, isFinal, unfinished, upsert } from "./messages.js";
const BLOCKS = /^(P|LI|UL|OL|BLOCKQUOTE|H[1-6]|PRE|CODE|TABLE|TBODY|THEAD|TR|TD|TH|DIV)$/;
const banner = byId("connection");
let [seen, read, bytes, acked, socket, lost] = [Number(box?.dataset.seq), Number(box?.dataset.seq), 0, 0];
const send = (value) => socket?.send(JSON.stringify(value));
const inbox = onceASecond(() => document.body.dispatchEvent(new Event("one:inbox")));
const sync = onceASecond(() => {
  const streams = unfinished().map(({ dataset }) => [dataset.position, [+dataset.attempt, +dataset.n]]);
  send({ type: "sync", seq: seen, streams: Object.fromEntries(streams) });
});
function onceASecond(run) {
  let [timer, last] = [null, 0];
  const fire = () => ([timer, last] = [null, Date.now()]) && run();
  return () => (timer ??= setTimeout(fire, Math.max(0, last + 1000 - Date.now())));
}
const markRead = () => seen > read && !document.hidden && isAtEnd() && send({ type: "read", seq: (read = seen) });
// Where text goes on: the end of the last block inside the last block.
const isBlock = (element) => element && BLOCKS.test(element.tagName) && !element.matches(".code-head");
const tail = (element) => (isBlock(element.lastElementChild) ? tail(element.lastElementChild) : element);
function stream(kind, position, attempt, n, content) {
  const article = box.querySelector(`article[data-position="${position}"]`);
  if (!article) return box.querySelector(".newer") ?? sync();
  const known = article.dataset;
  const same = attempt === +known.attempt;
  if (isFinal(article) || attempt < +known.attempt || (same && n <= +known.n)) return;
  if (kind !== "r" && !(same && n === +known.n + 1)) return sync();
  const body = article.querySelector(".body");
  const [closed, open] = body.children;
  if (kind === "r") body.innerHTML = content;
  else if (kind === "d") tail(open).append(content);
  else open.innerHTML = kind === "h" ? content : "";
  if (kind === "c") closed.insertAdjacentHTML("beforeend", content);
  Object.assign(known, { attempt, n, status: "streaming" });
}
function apply(record) {
  const [, kind, fields, content] = record.match(/^(.) ?(.*)\n?([^]*)$/);
  const [first, ...numbers] = fields.split(" ");
  if (kind === "i") inbox();
  else if (kind === "x") first === "reload" ? location.reload() : location.assign("/chat/");
  else if (kind === "s" && +numbers[0] > seen) sync();
  else if (kind === "s" && +first > seen) upsert(content), box.querySelector(".newer.htmx-request") ?? (seen = +first);
  else if (/^[dhcr]$/.test(kind)) stream(kind, first, +numbers[0], +numbers[1], content);
}
addEventListener("htmx:wsOpen", ({ detail }) => {
  [socket, bytes, acked, lost] = [detail.socketWrapper, 0, 0, clearTimeout(lost)];
  if (banner.textContent) banner.textContent = "Back online";
  setTimeout(() => lost ?? (banner.textContent = ""), 2000);
  if (box) sync();
});
addEventListener("htmx:wsClose", ({ detail }) => {
  socket = null;
  lost ??= setTimeout(() => (banner.textContent = "Reconnecting…"), 2000);
  // The extension comes back by itself after failures, but not when the server said goodbye.
  if (detail.event.code < 1006) setTimeout(() => detail.socketWrapper.reconnect(), 1000 * Math.random());
});
addEventListener("htmx:wsBeforeMessage", (event) => {
  event.preventDefault();
  const { message } = event.detail;
  message.split("\x1e").forEach(apply);
  bytes += message.length;
  if (bytes - acked >= 65_536) send({ type: "ack", bytes: (acked = bytes) });
  if (box) follow();
  markRead();
});
htmx.config.wsReconnectDelay = (tries) => Math.random() * Math.min(8000, 500 * 2 ** tries);
for (const type of ["visibilitychange", "scroll"]) document.addEventListener(type, markRead, true);
