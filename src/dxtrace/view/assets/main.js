/* Where a page begins: its data say what it shows. */

const PAGE = JSON.parse(document.getElementById("dxtrace-data").textContent);

applyTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
document.body.append(h("div", { id: "announcer", class: "hidden", "aria-live": "polite", role: "status" }));
{
  const app = document.getElementById("app");
  if (PAGE.mode === "library") new Library(app, PAGE);
  else if (PAGE.mode === "app") startApp(app, PAGE);
  else startCase(app, PAGE);
}
