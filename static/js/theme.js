// The chosen theme, set before the first paint; "system" follows the device.
const { dataset } = document.documentElement;
dataset.theme = localStorage.getItem("theme") ?? "system";
addEventListener("change", ({ target }) => {
  if (target.name === "theme") localStorage.setItem("theme", (dataset.theme = target.value));
});
