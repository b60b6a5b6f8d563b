// The navigation on small screens, and the key of the search. Django's script folds the sidebar on large screens.
(function () {
  "use strict";
  const sidebar = document.getElementById("nav-sidebar");
  const toggle = document.getElementById("toggle-nav-sidebar");
  const menu = document.getElementById("menu");
  const search = document.getElementById("site-search");

  function tell(button, isOpen) {
    button.setAttribute("aria-expanded", String(isOpen));
  }

  function showMenu(isOpen) {
    document.body.classList.toggle("menu-open", isOpen);
    tell(menu, isOpen);
  }

  if (sidebar !== null && menu !== null) {
    // Django marks the sidebar itself as expanded, which is no attribute of a landmark: the buttons have it.
    const tellFolded = () => {
      tell(toggle, document.getElementById("main").classList.contains("shifted"));
      sidebar.removeAttribute("aria-expanded");
    };
    tellFolded();
    toggle.addEventListener("click", tellFolded);
    const current = sidebar.querySelector("[aria-current]");
    if (current !== null) {
      current.scrollIntoView({ block: "nearest" });
    }
    menu.addEventListener("click", () => {
      showMenu(!document.body.classList.contains("menu-open"));
      if (document.body.classList.contains("menu-open")) {
        document.getElementById("nav-filter").focus();
      }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.body.classList.contains("menu-open")) {
        showMenu(false);
        menu.focus();
      }
    });
  }

  if (search !== null) {
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select, [contenteditable]") !== null;
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    });
  }
})();
