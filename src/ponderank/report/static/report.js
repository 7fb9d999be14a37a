// Sorting, filtering, choosing a query. Without it everything is on the page. Texts become text nodes, never markup.
"use strict";
(() => {
  const made = (name, text) => Object.assign(document.createElement(name), text === undefined ? {} : { textContent: text });

  // ---- tables: a heading sorts by its column, numbers downwards first
  const worth = (row, at) => {
    const cell = row.cells[at];
    const value = cell.dataset.v;
    return value === undefined ? cell.textContent.trim() : value === "" ? -Infinity : Number(value);
  };
  const compare = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b), undefined, { numeric: true }) : a - b);
  for (const table of document.querySelectorAll("table.sorted")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const button = made("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const rows = [...table.tBodies[0].rows];
        const numbers = rows.some((row) => row.cells[at].dataset.v !== undefined);
        const was = head.getAttribute("aria-sort");
        const up = was ? was === "descending" : !numbers;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        rows.sort((a, b) => (up ? 1 : -1) * compare(worth(a, at), worth(b, at)));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // ---- a list of queries: typing leaves the ones that have all the words
  for (const tools of document.querySelectorAll(".tools[data-list]")) {
    tools.hidden = false;
    const rows = [...document.getElementById(tools.dataset.list).tBodies[0].rows];
    const texts = rows.map((row) => `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase()); // not its numbers
    const count = tools.querySelector("output");
    tools.querySelector("input").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, at) => { row.hidden = !words.every((word) => texts[at].includes(word)); });
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = words.length ? `${left} of ${rows.length}` : "";
    });
  }

  // ---- chosen queries: one at a time
  const pick = (detail) => {
    const held = detail.parentElement;
    held.querySelectorAll(".picked").forEach((other) => other.classList.remove("picked"));
    detail.classList.add("picked");
    held.querySelector("select").value = detail.id;
  };
  for (const held of document.querySelectorAll(".details")) {
    const details = [...held.querySelectorAll(".detail")];
    if (details.length < 2) continue;
    const select = made("select");
    for (const detail of details) {
      const option = made("option", detail.dataset.label);
      option.value = detail.id;
      select.append(option);
    }
    const label = made("label", "Query");
    label.append(select);
    const tools = made("div");
    tools.className = "tools";
    const step = (by, word) => {
      const button = made("button", word);
      button.type = "button";
      button.className = "step";
      button.addEventListener("click", () => pick(details[(select.selectedIndex + by + details.length) % details.length]));
      return button;
    };
    tools.append(label, step(-1, "‹ before"), step(1, "next ›"));
    held.prepend(tools);
    held.classList.add("picking");
    select.addEventListener("change", () => pick(document.getElementById(select.value)));
    pick(details[0]);
  }
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const detail = target && target.closest(".details.picking > .detail");
    if (detail) {
      pick(detail);
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", follow);
  follow();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
