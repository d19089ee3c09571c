/*
 * The look of the page: calm paper, one serif sentence, and colour only where it says something. Sizes are in rem, so
 * that the reader's own text size holds; every text has a contrast of at least 4.5 to 1 in both schemes.
 */
export const style = `
:root{color-scheme:light dark;
--paper:#f5f4ef;--card:#fffefa;--well:#edebe3;--ink:#1c211e;--soft:#59615b;--line:#dfdcd1;
--good:#1f6a44;--good-fill:#3c9867;--good-pale:#a9d3ba;--good-wash:#e4f0e7;
--warn:#7d5200;--warn-fill:#d6961a;--warn-wash:#f8eccf;
--bad:#a1281d;--bad-fill:#cc4436;--bad-wash:#f9e2dd;
--run:#1d5894;--run-fill:#3b7cc4;--run-wash:#e0ebf6;
--muted:#4d554f;--calm:#555e68;--calm-fill:#a4abb3;--calm-wash:#e9eaea;
--serif:ui-serif,"Iowan Old Style",Charter,"Bitstream Charter","Source Serif 4",Georgia,"Noto Serif","DejaVu Serif",serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
--mono:ui-monospace,"SF Mono",SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{
--paper:#131614;--card:#1b1f1d;--well:#252a27;--ink:#e9ece8;--soft:#a0aaa3;--line:#2e3430;
--good:#7bcf9c;--good-fill:#4fae7b;--good-pale:#2d6549;--good-wash:#182b20;
--warn:#e9b659;--warn-fill:#d9a137;--warn-wash:#2f2612;
--bad:#f4958a;--bad-fill:#e0665a;--bad-wash:#371d1a;
--run:#8dbdf0;--run-fill:#5b98da;--run-wash:#182636;
--muted:#b6bfb8;--calm:#b3bbc3;--calm-fill:#6d757d;--calm-wash:#272b2e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 var(--sans);overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
main{max-width:71rem;margin:0 auto;padding:1.5rem clamp(1rem,4vw,2.5rem) 4rem}
h1,h2,h3,p,ul,ol,dl,dd,figure{margin:0;padding:0}
ul,ol{list-style:none}
[hidden]{display:none!important}
.soft{color:var(--soft);font-weight:400}
.shapes{position:absolute;width:0;height:0}
.icon{width:1em;height:1em;flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
a{color:inherit}
:focus-visible{outline:3px solid var(--run-fill);outline-offset:2px;border-radius:.25rem}

.mast{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.25rem 1rem;font-size:.875rem}
h1{font:600 1rem/1.5 var(--serif);letter-spacing:.01em}
h2{font:600 1.25rem/1.3 var(--serif);margin:3rem 0 1rem}
h3{font-size:1.125rem;line-height:1.35;font-weight:650}

.verdict{display:flex;gap:1.25rem;align-items:center;margin:1.25rem 0 1.25rem;padding:clamp(1.25rem,3.5vw,2.25rem);border-radius:1.25rem}
.verdict p{font:500 clamp(1.375rem,1rem + 1.7vw,2.125rem)/1.28 var(--serif);letter-spacing:-.01em;text-wrap:balance}
.glance{display:flex;flex-wrap:wrap;gap:.125rem 1.5rem;margin-top:.75rem;font-size:.9375rem;color:var(--muted)}
.seal{display:grid;place-items:center;flex:none;width:3.25rem;height:3.25rem;border-radius:50%;font-size:2rem;color:var(--card)}
.verdict.safe{background:var(--good-wash)}.safe .seal{background:var(--good)}
.verdict.attention{background:var(--warn-wash)}.attention .seal{background:var(--warn)}
.verdict.danger{background:var(--bad-wash)}.danger .seal{background:var(--bad)}

.overview{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10rem),1fr));gap:.5rem}
.overview a{display:grid;grid-template-columns:auto 1fr;grid-template-rows:1fr auto auto;gap:0 .5rem;align-items:center;padding:.625rem .75rem;border:1px solid var(--line);border-radius:.75rem;background:var(--card);text-decoration:none;height:100%}
.overview a:hover{border-color:var(--soft)}
.overview .icon{grid-row:2;font-size:1rem}
.overview .name,.overview .soft{grid-column:1/-1}
.overview .soft{font-size:.8125rem;line-height:1.35}
.overview .name{font-weight:600;font-size:.9375rem;line-height:1.3;display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}
.overview .word{grid-row:2;font-size:.875rem;font-weight:600;line-height:1.5}
.overview .good{color:var(--good)}.overview .bad{color:var(--bad)}.overview .warn{color:var(--warn)}.overview .run{color:var(--run)}.overview .calm{color:var(--calm)}
.overview .name{color:var(--ink);align-self:start}

.pill{display:inline-flex;align-items:center;gap:.3rem;padding:.0625rem .5rem .0625rem .375rem;border-radius:1rem;font-size:.8125rem;font-weight:600;line-height:1.5;white-space:nowrap}
.pill.good{color:var(--good);background:var(--good-wash)}
.pill.same,.pill.calm{color:var(--calm);background:var(--calm-wash)}
.pill.bad{color:var(--bad);background:var(--bad-wash)}
.pill.warn{color:var(--warn);background:var(--warn-wash)}
.pill.run{color:var(--run);background:var(--run-wash)}

.command{display:flex;align-items:stretch;min-width:0;border-radius:.5rem;background:var(--well);overflow:hidden}
code{font:.8125rem/1.5 var(--mono)}
.command code{flex:1;padding:.4375rem .75rem;min-width:0}
.copy{flex:none;border:0;border-left:1px solid var(--line);padding:0 .75rem;background:none;color:var(--soft);font:600 .8125rem/1 var(--sans);cursor:pointer;min-height:2.125rem;min-width:4.5rem}
.copy:hover{color:var(--ink);background:var(--line)}
.copy:focus-visible{outline-offset:-3px}
.mend{display:grid;gap:.375rem;min-width:0}
.remedy{color:var(--soft);font-size:.9375rem}

.problems{display:grid;gap:.75rem}
.problems>li{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,24rem);gap:.375rem 1.5rem;align-items:center;padding:1rem 1.25rem;border:1px solid var(--line);border-radius:1rem;background:var(--card)}
.problems .top{grid-column:1/-1;display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem;font-size:.875rem}
.problems .bad{border-color:var(--bad-fill)}.problems .warn{border-color:var(--warn-fill)}

.apps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1.25rem}
.apps:has(details[open]){align-items:start}
.app{display:flex;flex-direction:column;padding:1.25rem clamp(1rem,3vw,1.5rem) 1rem;border:1px solid var(--line);border-radius:1.25rem;background:var(--card);scroll-margin-top:1rem;min-width:0}
.app:target{border-color:var(--run-fill)}
.app>header{display:flex;justify-content:space-between;align-items:flex-start;gap:.75rem}
.app h3{min-width:0}
.kind{color:var(--soft);font-size:.875rem}
.sentence{margin-top:.625rem}
.app>.command{margin-top:.75rem}
.facts{display:grid;grid-template-columns:1fr 1fr;gap:.875rem 1.25rem;margin-top:1rem}
.facts dt{color:var(--soft);font-size:.8125rem}
.facts dd{line-height:1.4;font-size:.9375rem}
.facts strong{display:block;font-weight:600}
.facts .soft{font-size:.8125rem}
.facts .bad{color:var(--bad)}.facts .warn{color:var(--warn)}

.running{margin-top:1rem;padding:.75rem 1rem;border-radius:.75rem;background:var(--run-wash);font-size:.875rem}
.running strong{display:inline-block}.running strong::first-letter{text-transform:uppercase}
progress{display:block;width:100%;height:.5rem;margin:.5rem 0;border:0;border-radius:.25rem;appearance:none;background:var(--well);overflow:hidden}
progress::-webkit-progress-bar{background:var(--card)}
progress::-webkit-progress-value{background:var(--run-fill);border-radius:.25rem}
progress::-moz-progress-bar{background:var(--run-fill)}
progress:not([value]){background:linear-gradient(90deg,var(--card) 30%,var(--run-fill) 50%,var(--card) 70%) 0 0/200% 100%}
progress:not([value])::-webkit-progress-bar{background:none}
progress:not([value])::-moz-progress-bar{background:none}
@media (prefers-reduced-motion:no-preference){progress:not([value]){animation:slide 1.6s linear infinite}@keyframes slide{from{background-position:100% 0}to{background-position:-100% 0}}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
.space{display:block;width:100%;height:.5rem;margin:.5rem 0;border-radius:.25rem;background:var(--well)}
.space.good{fill:var(--good-fill)}.space.warn{fill:var(--warn-fill)}.space.bad{fill:var(--bad-fill)}

.strip{margin-top:1.25rem}
figcaption{margin-bottom:.375rem;font-size:.8125rem;line-height:1.4;color:var(--soft)}
figcaption strong{font-weight:600;color:var(--ink)}
.days{display:grid;grid-auto-flow:column;grid-auto-columns:1fr;align-items:end;gap:2px;height:1.75rem}
.day{display:block;border-radius:2px;height:100%}
.day.ok{background:var(--good-fill)}
.day.unchanged{background:var(--good-pale);height:60%}
.day.failed{background:linear-gradient(to bottom,var(--bad-fill) 0 40%,var(--card) 40% 60%,var(--bad-fill) 60%)}
.day.late{background:repeating-linear-gradient(135deg,var(--warn-fill) 0 3px,transparent 3px 5px);border:1px solid var(--warn-fill)}
.day.none{background:var(--line);height:3px}
.day.paused{border:1px solid var(--calm-fill);height:60%}
.ends{display:flex;justify-content:space-between;margin-top:.25rem;font-size:.75rem;line-height:1.35}

.chart{margin-top:.875rem}
.chart svg{display:block;width:100%;height:3rem;overflow:visible}
.chart path{vector-effect:non-scaling-stroke;fill:none}
.chart .area{fill:var(--well);stroke:none}
.chart .line{stroke:var(--soft);stroke-width:1.5;stroke-linejoin:round}
.chart .dot{stroke:var(--ink);stroke-width:6;stroke-linecap:round}

details{margin-top:.875rem;border-top:1px solid var(--line)}
summary{cursor:pointer;padding:.75rem 0 .25rem;list-style:none;display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .5rem;font-size:.875rem}
summary::-webkit-details-marker{display:none}
summary::before{content:"";flex:none;align-self:center;width:.4375rem;height:.4375rem;margin:0 .25rem 0 .125rem;border:solid var(--soft);border-width:0 2px 2px 0;transform:rotate(-45deg)}
details[open]>summary::before{transform:rotate(45deg)}
summary:hover strong{text-decoration:underline;text-underline-offset:.2em}
.back{margin-top:auto;padding-top:1.125rem;font-size:.8125rem}
.back .command{margin-top:.375rem}
.none{color:var(--soft)}
summary .soft{flex-basis:100%;padding-left:1.0625rem}
.mark{display:block;flex:none;width:.75rem;height:.75rem;border:2px solid var(--soft);border-radius:50%;background:var(--card)}
.mark.scrubbed{border-color:var(--good-fill)}
.mark.proven{border-color:var(--good-fill);background:var(--good-fill)}
.mark.damaged{border-color:var(--bad-fill);background:var(--bad-fill);border-radius:2px}
.marks{display:flex;flex-wrap:wrap;gap:.25rem;align-self:center;margin-left:auto}
.timeline{margin:.75rem 0 .5rem .375rem;border-left:2px solid var(--line)}
.point{position:relative;display:grid;gap:.375rem;padding:0 0 1.25rem 1.25rem;font-size:.875rem}
.point:last-child{padding-bottom:0}
.point .mark{position:absolute;left:calc(-.375rem - 1px);top:.3125rem}
.point .what{display:flex;flex-wrap:wrap;gap:0 .625rem;align-items:baseline}
.tag{padding:0 .5rem;border:1px solid var(--line);border-radius:1rem;font-size:.8125rem;color:var(--soft)}
.points .none{padding:.5rem 0;font-size:.8125rem}
.proofs{display:flex;flex-wrap:wrap;gap:.25rem 1rem;color:var(--soft)}

.house{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr));gap:1.25rem}
.panel{padding:1rem 1.25rem;border:1px solid var(--line);border-radius:1rem;background:var(--card);font-size:.875rem}
.panel h3{font-size:.8125rem;font-weight:400;color:var(--soft)}
.state{font-size:1.0625rem;font-weight:600}
.state.bad{color:var(--bad)}.state.warn{color:var(--warn)}.state.open{color:var(--soft)}

.runs li{display:grid;grid-template-columns:8rem minmax(0,1fr) 9rem 8.5rem;gap:0 1rem;align-items:baseline;padding:.6875rem 0;border-top:1px solid var(--line);font-size:.9375rem}
.runs li:first-child{border-top:0}
.runs p{color:var(--soft);font-size:.875rem}
.runs .bad p{color:var(--ink)}
.runs .how{display:flex;flex-wrap:wrap;gap:0 .75rem;justify-content:flex-end;color:var(--soft);font-size:.875rem}
.runs .when{text-align:right;color:var(--soft);font-size:.875rem}
.older>.none{padding:1rem 0}
footer{margin-top:3rem;font-size:.8125rem}

.stale{margin:1rem 0 0;padding:.625rem 1rem;border-radius:.75rem;background:var(--warn-wash);color:var(--warn);font-size:.875rem;font-weight:600}
body>.stale{position:fixed;left:50%;bottom:1rem;transform:translateX(-50%);width:max-content;max-width:calc(100% - 2rem);margin:0;box-shadow:0 .25rem 1rem #0003;z-index:1}

@media (max-width:40rem){
main{padding-top:1rem}
h2{margin-top:2.25rem}
.verdict{align-items:flex-start;gap:.875rem;margin-inline:calc(clamp(1rem,4vw,2.5rem)*-.25)}
.seal{width:2.25rem;height:2.25rem;font-size:1.375rem}
.overview{grid-template-columns:1fr 1fr}
.problems>li{grid-template-columns:minmax(0,1fr)}
.runs li{grid-template-columns:minmax(0,1fr) auto;gap:.125rem 1rem}
.runs .what{grid-column:1/-1;grid-row:2}
.runs .when{grid-column:2;grid-row:1}
.runs .how{grid-column:1/-1;grid-row:3;justify-content:flex-start}
}
@media (forced-colors:active){.day,.mark,.seal,.space,progress{forced-color-adjust:none}}
@media print{.copy,nav{display:none}.app,.panel{break-inside:avoid}}
`;
