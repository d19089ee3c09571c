/*
 * What JavaScript adds, and nothing needs: copy buttons, and a page that keeps itself up to date. The page asks for
 * itself again, the same address, and swaps what it shows; opened details stay open, the focus stays where it was.
 */
export const script = `
const showButtons = () => { for (const b of document.querySelectorAll(".copy")) b.hidden = false; };
const copy = async (text) => {
  try { await navigator.clipboard.writeText(text); }
  catch {
    // The clipboard is only there over HTTPS; this works anywhere.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.(".copy");
  if (!button) return;
  await copy(button.dataset.copy);
  button.focus();
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
const idOfFocus = () => document.activeElement?.closest("main") && (document.activeElement.dataset.copy ?? document.activeElement.closest("[id]")?.id);
const refresh = async () => {
  // Whoever is marking text would lose it.
  if (!getSelection().isCollapsed) return plan();
  const stale = document.getElementById("stale");
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = next.querySelector("main");
    if (!fresh) throw new Error("not the page");
    const open = [...document.querySelectorAll("details[open]")].map((d) => d.id);
    const focus = idOfFocus();
    for (const id of open) fresh.querySelector("#" + CSS.escape(id))?.setAttribute("open", "");
    document.querySelector("main").replaceWith(fresh);
    document.title = next.title;
    document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").href;
    showButtons();
    if (focus) {
      const kept = [...fresh.querySelectorAll("[data-copy]")].find((b) => b.dataset.copy === focus) ?? document.getElementById(focus)?.querySelector("summary");
      kept?.focus({ preventScroll: true });
    }
    stale.hidden = true;
  } catch { stale.hidden = false; }
  plan();
};
let timer;
const plan = () => {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(refresh, Number(document.querySelector("main").dataset.refreshSeconds) * 1000);
};
document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else refresh(); });
showButtons();
plan();
`;
