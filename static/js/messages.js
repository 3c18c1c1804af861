// The messages of a thread: each at its place, days between them, the newest in sight.
export const byId = (id) => document.getElementById(id);
export const box = byId("messages");
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const { viewer } = document.body.dataset;
let [following, held] = [!box?.querySelector(":target, .newer"), 0];
const [articles, toEnd] = [() => [...box.querySelectorAll("article")], () => box.scrollHeight - box.scrollTop - box.clientHeight];
export const isAtEnd = () => toEnd() < 80;
export const isFinal = (article) => !article.matches('[data-status="pending"], [data-status="streaming"]');
export const unfinished = () => articles().filter((a) => a.dataset.position && !isFinal(a));
// Orders places in the thread ("order", "step") or states of a message ("seq", "attempt", "n").
const compare = (a, b, ...names) =>
  names.map((name) => (+a.dataset[name] || 0) - (+b.dataset[name] || 0)).find(Boolean) ?? 0;
export function follow(always) {
  following ||= always;
  if (following) box.scrollTop = box.scrollHeight;
  byId("jump").hidden = isAtEnd();
}
// The text as it is read, without the heads of code blocks.
export function plain(element) {
  element.classList.add("is-plain");
  const text = element.innerText.trim();
  element.classList.remove("is-plain");
  return text;
}
function tell(article) {
  const [author, failure, body] = [".author", ".failure p", ".body"].map((part) => article.querySelector(part));
  if (failure) byId("alarm").textContent = `${author.textContent}: ${plain(failure)}`;
  else byId("announcer").textContent = `${author.textContent} answered: ${plain(body).slice(0, 300)}`;
}
// Elements of the HTML take the place of those with their id; new articles find their own.
export function upsert(html) {
  for (const fresh of [...document.createRange().createContextualFragment(html).children]) {
    const old = byId(fresh.id);
    const focused = old?.contains(document.activeElement) && document.activeElement;
    if ("removed" in fresh.dataset) old?.remove();
    else if (fresh.localName === "article") put(fresh, old);
    else if (old?.textContent !== fresh.textContent) old?.replaceWith(fresh);
    if (fresh.isConnected) htmx.process(fresh);
    if (focused && !old.isConnected) (byId(focused.id) ?? box).focus({ preventScroll: true });
  }
  tidy();
  refreshTimes();
}
function put(fresh, old) {
  // The socket and the answer to a form bring the same message: its latest state stays.
  if (old && compare(fresh, old, "seq", "attempt", "n") <= 0) return;
  const before = articles().findLast((a) => a.dataset.order && compare(a, fresh, "order", "step") < 0);
  // What lies before or after all that is loaded comes with its page.
  if (!old && box.querySelector(before ? `#${before.id}:has(+ .newer)` : ".older")) return;
  box.querySelector(`.sending[data-client-key="${fresh.dataset.clientKey}"]`)?.remove();
  // What a person has opened or is writing in it stays.
  for (const { id, open, value } of old?.querySelectorAll("details, textarea") ?? [])
    Object.assign(fresh.querySelector(`[id="${id}"]`) ?? {}, value === undefined ? { open } : { value });
  old ? old.replaceWith(fresh) : before ? before.after(fresh) : box.prepend(fresh);
  const { tell: news, kind, empty } = fresh.dataset;
  if (news && news !== old?.dataset.tell) byId("announcer").textContent = news;
  if (kind === "agent" && empty === undefined && isFinal(fresh) && !(old && isFinal(old))) tell(fresh);
}
// Own messages look like it, and each day begins with a line.
export function tidy() {
  box.querySelectorAll(".day").forEach((day) => day.remove());
  let last;
  for (const one of articles()) {
    const day = new Date(one.dataset.time).setHours(0, 0, 0, 0);
    if (day !== last) one.insertAdjacentHTML("beforebegin", `<div class="day"><span>${dayName((last = day))}</span></div>`);
    one.classList.toggle("own", one.dataset.author === viewer);
    one.classList.toggle("mine", one.dataset.requestedBy === viewer);
  }
  document.title = `${byId("thread-title").firstElementChild.textContent} · ONE`;
  offer();
}
// Send, or Stop while an answer asked for here is open.
export function offer() {
  const [stop, own] = [byId("stop"), unfinished().find((a) => a.dataset.requestedBy === viewer)];
  if (own) stop.setAttribute("hx-post", own.dataset.stopUrl);
  if (!own && stop === document.activeElement) byId("message").focus();
  stop.hidden = !own;
  byId("send").hidden = own && !byId("message").value.trim();
  htmx.process(stop);
  follow();
}
const dayName = (day, ago = Math.round((day - new Date().setHours(0, 0, 0, 0)) / 86_400_000)) =>
  ago > -2 ? relative.format(ago, "day") : new Date(day).toLocaleDateString(undefined, { dateStyle: "full" });
export function refreshTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    const minutes = Math.min(0, Math.round((date - Date.now()) / 60_000));
    time.title = date.toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
    if (minutes > -60) time.textContent = relative.format(minutes, minutes < 0 ? "minute" : "second");
    else if (minutes > -1440) time.textContent = relative.format(Math.round(minutes / 60), "hour");
    else time.textContent = date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  }
}
// Scrolling up, however little, wins over following the answer.
function release({ deltaY, key }) {
  held = Date.now() + 300;
  if ((deltaY < 0 || /Up|Home/.test(key)) && box.scrollTop > 0) following = false;
}
for (const type of ["wheel", "touchmove", "keydown"]) box?.addEventListener(type, release, { passive: true });
box?.addEventListener("scroll", () => {
  following = toEnd() < (Date.now() < held ? 2 : 80);
  byId("jump").hidden = isAtEnd();
});
if (box) new ResizeObserver(() => follow()).observe(box);
