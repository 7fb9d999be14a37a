// The judging page, served or as one file. Passages become text nodes, never markup.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const held = $("pool") ? JSON.parse($("pool").textContent) : null; // the one-file form has all in it
  const page = { who: "", pool: null, places: [], at: 0, log: [], outbox: [], texts: {}, since: 0, seen: 0, clock: 0, highlight: false };
  const FORMAT = "ponderank-judgements-1";

  // what this browser keeps: what is not yet with the server, or, in the one-file form, everything
  const kept = (name, value) => {
    const key = `ponderank.judging.${name}`;
    try {
      if (value === undefined) return JSON.parse(localStorage.getItem(key));
      localStorage.setItem(key, JSON.stringify(value));
    } catch { /* a browser that keeps nothing: it still works until the page is closed */ }
    return null;
  };
  const forget = (name) => { try { localStorage.removeItem(`ponderank.judging.${name}`); } catch { /* nothing was kept */ } };
  const mine = (name) => `${page.pool.pool}.${page.who}.${name}`;

  const made = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  // ---- the server

  class Refused extends Error {}

  async function ask(path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(path, options);
    if (answer.status >= 400 && answer.status < 500) {
      throw new Refused((await answer.json().catch(() => ({}))).error || `refused (${answer.status})`);
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }

  let sending = null;
  const flush = () => (sending ??= send().finally(() => { sending = null; }));

  async function send() {
    for (let wait = 300; page.outbox.length; ) {
      const event = page.outbox[0];
      try {
        await ask("/api/events", event);
      } catch (error) {
        if (error instanceof Refused) {
          drop(event);
          await load();
          says(error.message, true);
          show();
          continue;
        }
        says(`the server is away; ${counted(page.outbox.length, "judgement")} kept here`, true);
        await sleep(wait);
        wait = Math.min(wait * 1.6, 4000);
        continue;
      }
      drop(event);
      wait = 300;
      if (!page.outbox.length) says("saved");
    }
  }

  function drop(event) {
    page.outbox = page.outbox.filter((one) => one.client !== event.client);
    forget(mine(`unsent.${event.client}`));
  }

  // each unsent judgement is kept under a name of its own: two windows of one assessor do not overwrite each other's
  function unsent() {
    const prefix = `ponderank.judging.${mine("unsent.")}`;
    const names = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i)).filter((name) => name.startsWith(prefix));
    return names.map((name) => JSON.parse(localStorage.getItem(name))).sort((a, b) => a.at - b.at).map((one) => one.event);
  }

  function take(event) {
    const timed = { client: fresh(), assessor: page.who, time: new Date().toISOString(), ...event };
    if (timed.kind === "undo") page.log = page.log.filter((one) => one.client !== timed.undoes);
    else page.log.push(timed);
    if (held) {
      const all = [...(kept(mine("events")) || page.all || []), timed];
      page.all = all;
      kept(mine("events"), all);
      says("kept in this browser; save the judgements when done");
    } else {
      page.outbox.push(timed);
      page.clock = Math.max(page.clock + 1e-3, performance.timeOrigin + performance.now());
      kept(mine(`unsent.${timed.client}`), { at: page.clock, event: timed });
      says("saving …");
      flush();
    }
  }

  async function load() {
    if (held) {
      page.pool = held;
      page.all = kept(mine("events")) || [];
      const undone = new Set(page.all.map((one) => one.undoes));
      page.log = page.all.filter((one) => one.kind !== "undo" && !undone.has(one.client));
    } else {
      page.pool = await ask(`/api/outline?assessor=${encodeURIComponent(page.who)}`);
      page.log = page.pool.events;
      const known = new Set(page.log.map((one) => one.client));
      for (const event of page.outbox) {
        if (event.kind === "undo") page.log = page.log.filter((one) => one.client !== event.undoes);
        else if (!known.has(event.client)) page.log.push(event);
      }
    }
    page.places = page.pool.queries.flatMap((query, at) => query.items.map((item, number) => ({ query, at, item, number })));
  }

  // ---- what stands

  const last = (item, kind) => page.log.findLast((one) => one.item === item && one.kind === kind);
  const gradeOf = (item) => last(item, "grade")?.grade;
  const counted = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  function says(text, away) {
    $("saved").textContent = text;
    $("saved").classList.toggle("away", Boolean(away));
  }

  function nextOpen(from) {
    const n = page.places.length;
    const graded = new Set(page.log.filter((one) => one.kind === "grade").map((one) => one.item));
    for (let i = 0; i < n; i += 1) {
      const at = (from + i) % n;
      if (!graded.has(page.places[at].item)) return at;
    }
    return n;
  }

  function go(at) {
    keepNote();
    page.at = Math.max(0, Math.min(at, page.places.length));
    kept(mine("at"), page.at);
    page.since = performance.now();
    page.seen = 0;
    show();
  }

  const seconds = () => Math.round((page.seen + (document.hidden ? 0 : performance.now() - page.since)) / 10) / 100;

  function grade(value) {
    const place = page.places[page.at];
    if (!place || page.texts[place.query.key] === undefined) return; // nobody grades what they cannot read
    const again = gradeOf(place.item) !== undefined;
    keepNote();
    take({ kind: "grade", item: place.item, grade: value, seconds: seconds() });
    go(again ? page.at + 1 : nextOpen(page.at));
  }

  function undo() {
    const event = page.log.at(-1);
    if (!event) return says("nothing to undo");
    take({ kind: "undo", item: event.item, undoes: event.client });
    $("note").value = ""; // the note shown is not the one that stands
    $("note").dataset.item = "";
    go(page.places.findIndex((place) => place.item === event.item));
  }

  function keepNote() {
    const box = $("note");
    const item = box.dataset.item;
    if (item && box.value.trim() !== (last(item, "note")?.note || "")) take({ kind: "note", item, note: box.value.trim() });
  }

  // ---- showing

  function show() {
    const place = page.places[page.at];
    const graded = new Set(page.log.filter((one) => one.kind === "grade").map((one) => one.item)).size;
    const n = page.places.length;
    $("count").textContent = `${graded} of ${n} judged`;
    $("filled").style.width = `${n ? (100 * graded) / n : 0}%`;
    $("bar").setAttribute("aria-valuemax", n);
    $("bar").setAttribute("aria-valuenow", graded);
    $("hidden").hidden = true;
    $("hidden").replaceChildren();
    $("judging").hidden = !place;
    $("done").hidden = Boolean(place);
    document.body.dataset.item = place ? place.item : "";
    if (!place) return;
    const { query, at, item, number } = place;
    $("where").textContent = `Query ${at + 1} of ${page.pool.queries.length} · passage ${number + 1} of ${query.items.length}`;
    $("query").textContent = query.text;
    $("instruction").textContent = query.instruction;
    $("instruction").hidden = !query.instruction;
    $("note").value = last(item, "note")?.note || "";
    $("note").dataset.item = item;
    showPips(place);
    showGrades(gradeOf(item));
    showPassage(place);
    scrollTo(0, 0);
  }

  const step = (grade) => {
    const scale = page.pool.scale;
    const at = scale.findIndex((one) => one.grade === grade);
    return `step${scale.length < 2 ? 0 : Math.round((3 * at) / (scale.length - 1))}`;
  };

  function showPips({ query, item }) {
    const start = page.places.findIndex((place) => place.query === query);
    $("pips").replaceChildren(...query.items.map((key, number) => {
      const value = gradeOf(key);
      const button = made("button", value === undefined ? "" : String(value), value === undefined ? "" : step(value));
      button.type = "button";
      button.setAttribute("aria-label", `passage ${number + 1}${value === undefined ? "" : `, graded ${value}`}`);
      if (key === item) button.setAttribute("aria-current", "true");
      button.onclick = () => go(start + number);
      const entry = made("li");
      entry.append(button);
      return entry;
    }));
  }

  function showGrades(value) {
    $("grades").replaceChildren(...page.pool.scale.map(({ grade: one, word, hint }) => {
      const button = made("button");
      button.type = "button";
      button.dataset.grade = one;
      button.setAttribute("aria-pressed", String(one === value));
      button.append(made("span", String(one), `digit ${step(one)}`), made("span", word, "word"));
      if (hint) button.append(made("span", hint, "hint"));
      button.onclick = () => grade(one);
      return button;
    }));
  }

  async function showPassage(place) {
    const { query, item } = place;
    if (page.texts[query.key] === undefined) {
      $("title").hidden = true;
      $("text").className = "waiting";
      $("text").textContent = "fetching the passage …";
      await texts(query);
      if (page.places[page.at]?.item !== item) return;
      page.since = performance.now(); // it can be read from now on
    }
    const passage = page.texts[query.key][item];
    $("title").hidden = !passage.title;
    $("title").replaceChildren(...lit(passage.title, query.text));
    $("text").className = "";
    $("text").replaceChildren(...lit(passage.text, query.text));
    const following = page.pool.queries[place.at + 1];
    if (following) texts(following);
  }

  const coming = {};
  const texts = (query) => (coming[query.key] ??= fetched(query));

  async function fetched(query) {
    for (let wait = 300; page.texts[query.key] === undefined; wait = Math.min(wait * 1.6, 4000)) {
      try {
        page.texts[query.key] = held ? held.passages[query.key] : await ask(`/api/passages/${query.key}`);
      } catch {
        await sleep(wait);
      }
    }
  }

  // words that begin with a word of the query (four letters or more, no function word); as text nodes and marks around them
  const COMMON = new Set("what when where which does with from that this have were there their about into your".split(" "));

  function lit(text, query) {
    const asked = (query.toLowerCase().match(/[\p{L}\p{N}]+/gu) || []).filter((word) => word.length > 3 && !COMMON.has(word));
    if (!page.highlight || !asked.length) return [document.createTextNode(text)];
    const meant = (piece) => asked.some((word) => piece.toLowerCase().startsWith(word));
    return text.split(/([\p{L}\p{N}]+)/u).map((piece) => (meant(piece) ? made("mark", piece) : document.createTextNode(piece)));
  }

  async function reveal() {
    const place = page.places[page.at];
    if (held || !place) return;
    if (gradeOf(place.item) === undefined) return says("grade first; then what was hidden is shown");
    await flush();
    let told;
    try {
      told = await ask("/api/events", { client: fresh(), assessor: page.who, kind: "reveal", item: place.item });
    } catch (error) {
      return says(error instanceof Refused ? error.message : "the server is away", true);
    }
    if (page.places[page.at]?.item === place.item) showHidden(told.hidden);
  }

  function showHidden(told) {
    const line = (label, text) => {
      const p = made("p");
      p.append(made("strong", `${label} `), document.createTextNode(text));
      return p;
    };
    const parts = [line("Document", `${told.doc_id}, query ${told.query_id}`), line("Grade before", told.before === null ? "none" : String(told.before))];
    if (told.seen.length) parts.push(line("Ranked", told.seen.map((one) => `${one.rank} by ${one.run}`).join(", ")));
    for (const said of told.opinions) {
      const numbers = [said.verdict, said.prob === null ? "" : `probability ${said.prob.toFixed(3)}`, said.score === null || said.prob !== null ? "" : `score ${said.score.toFixed(3)}`];
      parts.push(made("h3", said.source), made("p", numbers.filter(Boolean).join(" · ")));
      if (said.reasoning) parts.push(made("p", said.reasoning, "reasoning"));
    }
    $("hidden").replaceChildren(...parts);
    $("hidden").hidden = false;
    $("hidden").scrollIntoView({ block: "nearest" });
  }

  function save() {
    if (!held) return;
    keepNote();
    const text = JSON.stringify({ format: FORMAT, pool: page.pool.pool, assessor: page.who, events: page.all });
    const link = made("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `judgements-${page.who.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    says("saved to a file; send it to whoever collects the judgements");
  }

  // ---- beginning

  async function begin(name) {
    page.who = name.trim();
    try {
      page.pool = held;
      page.outbox = [];
      await load();
      if (!held) {
        try { page.outbox = unsent(); } catch { /* a browser that keeps nothing */ }
        await flush();
        await load();
      }
    } catch (error) {
      $("refused").textContent = error instanceof Refused ? error.message : "the server is away; try again when it is back";
      return enter();
    }
    kept("who", page.who);
    $("who").textContent = page.who;
    $("digits").textContent = page.pool.scale.map((one) => one.grade).join(" ");
    for (const id of ["who", "keys"]) $(id).hidden = false;
    $("download").hidden = !held;
    $("key-r").hidden = Boolean(held);
    $("enter").hidden = true;
    page.highlight = Boolean(kept("highlight"));
    const at = kept(mine("at"));
    if (!held) says(page.log.length ? "saved" : "");
    go(Number.isInteger(at) && at < page.places.length ? at : nextOpen(0));
  }

  function enter() {
    for (const id of ["judging", "done", "who", "keys", "download"]) $(id).hidden = true;
    $("enter").hidden = false;
    $("name").focus();
  }

  const keys = {
    u: undo,
    r: reveal,
    d: save,
    g: () => go(nextOpen(page.at)),
    n: () => { $("note").focus(); },
    h: () => { page.highlight = !page.highlight; kept("highlight", page.highlight); if (page.places[page.at]) showPassage(page.places[page.at]); },
    ArrowLeft: () => go(page.at - 1),
    ArrowRight: () => go(page.at + 1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !page.places.length || !$("enter").hidden) return;
    if (event.target === $("note")) {
      if (event.key === "Escape") $("note").value = last(page.places[page.at].item, "note")?.note || "";
      if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
        event.preventDefault();
        $("note").blur();
      }
      return;
    }
    if (event.repeat && !event.key.startsWith("Arrow")) return; // a key that is held down is one judgement
    const digit = page.pool.scale.find((one) => String(one.grade) === event.key);
    const act = digit ? () => grade(digit.grade) : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  $("note").addEventListener("blur", keepNote);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) page.seen += performance.now() - page.since;
    else page.since = performance.now();
  });
  $("naming").addEventListener("submit", (event) => {
    event.preventDefault();
    $("refused").textContent = "";
    begin($("name").value);
  });
  $("who").onclick = () => {
    keepNote();
    if (page.outbox.length) return says(`wait: ${counted(page.outbox.length, "judgement")} not saved yet`, true);
    kept("who", null);
    $("name").value = "";
    return enter();
  };
  $("download").onclick = save;

  const known = (held && held.assessor) || kept("who");
  if (known) begin(known);
  else enter();
})();
