"use strict";
(async () => {
  const main = document.getElementById("docs");
  const el = (tag, text, cls) => {
    const e = document.createElement(tag);
    if (text) e.textContent = text; // never innerHTML: descriptions are text
    if (cls) e.className = cls;
    return e;
  };
  const add = (parent, ...children) => { children.forEach(c => c && parent.appendChild(c)); return parent; };
  let spec;
  try {
    const res = await fetch(document.body.dataset.spec);
    if (!res.ok) throw new Error(res.statusText);
    spec = await res.json();
  } catch (err) {
    main.replaceChildren(el("p", "The API document could not be loaded: " + err.message));
    return;
  }
  const deref = v => {
    for (let i = 0; v && v.$ref && i < 8; i++) v = v.$ref.slice(2).split("/").reduce((at, k) => at && at[k], spec);
    return v || {};
  };
  const name = s => s && s.$ref ? s.$ref.split("/").pop() : "";
  const type = s => {
    if (!s) return "";
    if (s.$ref) return name(s);
    if (s.items) return type(s.items) + "[]";
    const t = Array.isArray(s.type) ? s.type.join(" | ") : s.type || "any";
    return t + (s.format ? " (" + s.format + ")" : "") + (s.enum ? ": " + s.enum.join(", ") : "");
  };
  // refers returns the schema that a schema names, itself or as its items, with a link to where it stands below.
  const refers = s => s && (name(s) || refers(s.items));
  const typed = (before, s) => {
    const to = refers(s);
    const link = to && el("a", type(s));
    if (link) link.href = "#schema-" + to;
    return add(el("span", before), link || el("span", type(s)));
  };
  const table = rows => {
    const t = el("table");
    rows.forEach(r => t.appendChild(r.reduce((tr, c) => add(tr, add(el("td", typeof c === "string" ? c : ""), typeof c === "string" ? null : c)), el("tr"))));
    return t;
  };
  const content = body => add(el("span"), ...Object.entries((body && body.content) || {}).map(([ct, m]) => m.schema ? typed(ct + " — ", m.schema) : el("span", ct)));
  const operation = (method, path, op) => {
    const d = el("details");
    d.id = op.operationId || "";
    add(d, add(el("summary"), el("span", method.toUpperCase(), "method"), el("code", path), el("span", op.summary ? " " + op.summary : "", "muted")));
    if (op.description) add(d, el("p", op.description));
    const params = (op.parameters || []).map(deref);
    if (params.length) add(d, el("h4", "Parameters"), table(params.map(p => [p.name, p.in, typed("", p.schema), (p.required ? "required. " : "") + (p.description || "")])));
    if (op.requestBody) add(d, el("h4", "Body"), add(el("p"), content(op.requestBody)));
    add(d, el("h4", "Answers"), table(Object.entries(op.responses || {}).map(([s, r]) => [s, deref(r).description || "", content(deref(r))])));
    return d;
  };
  main.replaceChildren(el("h1", spec.info.title), el("p", "Version " + spec.info.version, "muted"));
  const groups = {};
  Object.entries(spec.paths || {}).forEach(([path, item]) => ["get", "post", "put", "patch", "delete"].forEach(method => {
    const op = item[method];
    if (op) (groups[(op.tags || ["Operations"])[0]] ||= []).push(operation(method, path, op));
  }));
  Object.keys(groups).sort().forEach(tag => add(main, el("h2", tag), ...groups[tag]));
  add(main, el("h2", "Schemas"));
  Object.entries((spec.components || {}).schemas || {}).sort().forEach(([n, s]) => {
    const d = add(el("details"), add(el("summary"), el("code", n)));
    d.id = "schema-" + n;
    const required = s.required || [];
    const rows = Object.entries(s.properties || {}).map(([p, ps]) => [p, typed("", ps), (required.includes(p) ? "required. " : "") + (ps.description || "")]);
    add(d, rows.length ? table(rows) : el("pre", JSON.stringify(s, null, 2)));
    add(main, d);
  });
  const show = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", show);
  show();
})();
