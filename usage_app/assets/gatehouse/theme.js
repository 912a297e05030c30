// Light or dark before the first paint. The choice is the admin's too: same storage, same name.

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
  const apply = () => {
    const theme = chosen() === "auto" ? (dark.matches ? "dark" : "light") : chosen();
    root.classList.toggle("dark", theme === "dark");
    root.classList.toggle("light", theme !== "dark");
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  if (localStorage.getItem("sidebarDesktopOpen") === "0") root.classList.add("gh-sidebar-closed");
  window.gatehouseTheme = (theme) => {
    localStorage.setItem("adminTheme", JSON.stringify(theme));
    apply();
  };
})();
