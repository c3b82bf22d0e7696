// Looks at a page as somebody does who needs contrast, labels or order, and returns what is wrong
// with it in sentences. It is run by the browser test; no page loads it.
(() => {
  document.getAnimations().forEach((one) => one.finish()); // a colour on its way to another
  const found = new Set();
  const say = (text) => { if (found.size < 20) found.add(text); };
  const where = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.getAttribute("class") ? "." + e.getAttribute("class").trim().split(/\s+/).join(".") : "");

  // A colour as it is computed: red, green, blue, and how much of it covers.
  const colour = (text) => {
    const m = text.match(/[\d.]+/g);
    if (!m) return null;
    const scale = text.startsWith("color(") ? 255 : 1;
    const n = (text.startsWith("color(") ? m.slice(-3 - (text.includes("/") ? 1 : 0)) : m).map(Number);
    return [n[0] * scale, n[1] * scale, n[2] * scale, n.length > 3 ? n[3] : 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat([1]);
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const c = colour(getComputedStyle(at).backgroundColor);
      if (c && c[3] > 0) layers.push(c);
      if (c && c[3] === 1) break;
    }
    return layers.reduceRight((below, c) => over(c, below), [255, 255, 255, 1]);
  };
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const x = luminance(a), y = luminance(b);
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };

  const shown = (e) => {
    if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true })) return false;
    for (let at = e; at; at = at.parentElement) {
      const box = at.getBoundingClientRect();
      if (box.width <= 1 && box.height <= 1 && getComputedStyle(at).overflow === "hidden") return false; // for readers that do not see
    }
    return true;
  };
  const hidden = (e) => !!e.closest("[aria-hidden=true]");
  const opacity = (e) => { let all = 1; for (let at = e; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity); return all; };

  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !e || ["SCRIPT", "STYLE", "TITLE", "DESC", "OPTION"].includes(e.tagName.toUpperCase()) || !shown(e)) continue;
    texts++;
    const style = getComputedStyle(e);
    const ink = colour(e instanceof SVGElement ? style.fill : style.color);
    if (!ink) { say(`${where(e)} has a colour that cannot be read: ${style.color}`); continue; }
    const below = ground(e);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const least = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const got = contrast(over([ink[0], ink[1], ink[2], ink[3] * opacity(e)], below), below);
    if (got < least - 0.005) say(`${where(e)} "${node.data.trim().slice(0, 40)}" has a contrast of ${got.toFixed(2)}, want ${least}`);
  }
  if (texts < 5) say(`only ${texts} texts are seen`);

  for (const e of document.querySelectorAll("input, select, textarea")) {
    if (e.type === "hidden") continue;
    const label = e.labels && e.labels[0] ? e.labels[0].textContent : e.getAttribute("aria-label");
    if (!label || !label.trim()) say(`${where(e)} has no label`);
  }
  const spoken = (e) => {
    const copy = e.cloneNode(true);
    copy.querySelectorAll("[aria-hidden=true]").forEach((one) => one.remove());
    return (e.getAttribute("aria-label") || copy.textContent || "").trim();
  };
  for (const e of document.querySelectorAll("a[href], button, summary")) {
    if (!hidden(e) && e.tabIndex >= 0 && !spoken(e)) say(`${where(e)} has no words`);
  }
  for (const e of document.querySelectorAll("svg, img, figure > svg")) {
    if (hidden(e) || e.closest("symbol, pattern") || e.parentElement.closest("svg")) continue;
    const named = e.getAttribute("aria-label") || e.getAttribute("alt") || e.getAttribute("aria-labelledby");
    if (!named || !named.trim()) say(`${where(e)} is a drawing without a name`);
  }
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const now = Number(e.tagName[1]);
    if (now > level + 1) say(`${where(e)} "${e.textContent.trim().slice(0, 40)}" follows a heading of level ${level}`);
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1) say("there is not one h1");
  if (!document.title || !document.documentElement.lang) say("there is no title or language");
  return [...found];
})()
