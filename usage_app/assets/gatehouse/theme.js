// Light or dark before the first paint. The choice is the admin's too: same storage, same name. And where
// the clock stands.

(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return JSON.parse(localStorage.getItem("adminTheme")) ?? "auto";
    } catch {
      return "auto";
    }
  };
  const show = (theme) => {
    root.classList.toggle("dark", theme === "dark");
    root.classList.toggle("light", theme !== "dark");
  };
  const apply = () => show(chosen() === "auto" ? (dark.matches ? "dark" : "light") : chosen());
  apply();
  // Paper is white. The style sheet knows, what is drawn on a canvas and Unfold's own classes do not.
  addEventListener("beforeprint", () => show("light"));
  addEventListener("afterprint", apply);
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  if (localStorage.getItem("sidebarDesktopOpen") === "0") root.classList.add("gh-sidebar-closed");
  // The server tells instants in the viewer's zone, unless their profile names another.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `gatehouse_zone=${zone}; Path=/; SameSite=Lax; Max-Age=31536000`;
  window.gatehouseTheme = (theme) => {
    localStorage.setItem("adminTheme", JSON.stringify(theme));
    apply();
  };
})();
