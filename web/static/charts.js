// Draws the negative share and the volume of /api/v1/series with what was expected, and the same figures as a table.
"use strict";

(() => {
  const LEAST_DOCUMENTS = 5; // a share of fewer documents is chance
  const WINDOW_BUCKETS = 4; // a point is the share of so many buckets, up to and with its own: a line, not noise
  const MOST_MARKS = 6; // incidents that are named below the charts; the page has a list of them
  const compact = new Intl.NumberFormat("en", { notation: "compact" });
  const drawn = new WeakMap(); // section -> its charts and the newest data

  function palette() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      text: of("text"), muted: of("muted"), line: of("line"), surface: of("surface"), alarm: of("alarm-wash"),
      negative: of("negative"), neutral: of("neutral"), positive: of("positive"),
      band: of("band"), edge: of("band-edge"), groups: [1, 2, 3, 4, 5].map((n) => of(`group-${n}`)),
      font: style.getPropertyValue("font-family"),
    };
  }

  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  function stepInWords(seconds, words) {
    for (const [unit, length] of [["days", 86400], ["hours", 3600], ["minutes", 60]]) {
      if (seconds % length === 0) return fill(words[`chart.step.${unit}`], { n: seconds / length });
    }
    return `${seconds} s`;
  }

  // Times are said in the console's zone, whatever zone the browser is in.
  function clockOf(data) {
    const { zone } = document.documentElement.dataset;
    const length = new Date(data.starts.at(-1)) - new Date(data.starts[0]);
    const format = new Intl.DateTimeFormat("en", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
      hourCycle: "h23",
    });
    return (at) => {
      const part = Object.fromEntries(format.formatToParts(new Date(at)).map((one) => [one.type, one.value]));
      const year = length > 300 * 86400e3 ? `${part.year}-` : "";
      const clock = data.step_seconds < 86400 ? ` ${part.hour}:${part.minute}` : "";
      return `${year}${part.month}-${part.day}${clock}`;
    };
  }

  function percent(value) {
    return value == null ? "–" : `${(value * 100).toFixed(1)} %`;
  }

  function movingShares(line) {
    let [total, negative] = [0, 0];
    return line.total.map((_, n) => {
      total += line.total[n] - (line.total[n - WINDOW_BUCKETS] ?? 0);
      negative += line.negative[n] - (line.negative[n - WINDOW_BUCKETS] ?? 0);
      return total >= LEAST_DOCUMENTS ? negative / total : null;
    });
  }

  function linePoints(values) {
    return values.map((value, n) => {
      const isAlone = value != null && values[n - 1] == null && values[n + 1] == null; // no line goes through it
      return isAlone ? { value, symbol: "circle", symbolSize: 5 } : value;
    });
  }

  function nameOf(key, by, words) {
    return words[`${by === "language" ? "lang" : by}.${key}`] ?? key;
  }

  // Rich text of ECharts reads braces and bars as markup, and breaks lines; crawled names may hold all of it.
  function plain(text) {
    return String(text).replace(/[{}|\s]+/g, " ").slice(0, 40);
  }

  function base(colours, labels, clock) {
    return {
      animation: false,
      textStyle: { fontFamily: colours.font, color: colours.text },
      grid: { left: 48, right: 12, top: 34, bottom: 24 }, // fixed, so that the two charts share one time axis
      xAxis: {
        type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.line } },
        axisLabel: { color: colours.muted, hideOverlap: true, formatter: (at) => clock(at) },
      },
      legend: {
        type: "scroll", top: 0, left: 0, icon: "roundRect", itemWidth: 14, itemHeight: 5, itemGap: 14,
        textStyle: { color: colours.text, fontSize: 12 }, pageTextStyle: { color: colours.muted },
        pageIconColor: colours.text, formatter: plain,
      },
    };
  }

  function tooltip(colours, clock, say, more) {
    return {
      trigger: "axis", renderMode: "richText", confine: true, // rich text: no HTML is made of names
      backgroundColor: colours.surface, borderColor: colours.line, textStyle: { color: colours.text, fontSize: 12, fontFamily: colours.font },
      axisPointer: { type: "line", lineStyle: { color: colours.muted } },
      formatter: (points) =>
        [clock(points[0].axisValue), ...points.filter((point) => !isBand(point) && point.value != null).map(say), ...more(points[0].dataIndex)].join("\n"),
    };
  }

  function valueAxis(colours, extra) {
    return {
      type: "value", splitLine: { lineStyle: { color: colours.line } }, axisLabel: { color: colours.muted }, ...extra,
    };
  }

  function incidentAreas(data) {
    const starts = data.starts.map((at) => +new Date(at));
    const last = starts.length - 1;
    const bucketAt = (at) => Math.max(0, starts.findLastIndex((start) => start <= at));
    const endOf = (one) => +new Date(one.ends_at ?? one.last_fired_at);
    const areas = data.incidents.filter((one) => endOf(one) >= starts[0]).map((one) => {
      const from = Math.max(0, Math.min(bucketAt(+new Date(one.starts_at)), last - 1));
      return [from, Math.min(Math.max(bucketAt(endOf(one)), from + 1), last)];
    }).sort((one, other) => one[0] - other[0]);
    const merged = []; // one topic's incident and the overall one are one area
    for (const area of areas) {
      if (merged.length && area[0] <= merged.at(-1)[1]) merged.at(-1)[1] = Math.max(merged.at(-1)[1], area[1]);
      else merged.push(area);
    }
    return merged.map(([from, until]) => [{ xAxis: from }, { xAxis: until }]);
  }

  // Where another model began to judge: dashed lines.
  function modelLines(data, colours) {
    const places = data.models.map((one) => data.starts.findLastIndex((start) => new Date(start) <= new Date(one.at)));
    return {
      silent: true, symbol: "none", animation: false, lineStyle: { color: colours.muted, type: "dashed", width: 1 },
      label: { show: false }, data: places.filter((at) => at >= 0).map((at) => ({ xAxis: at })),
    };
  }

  // A band is two stacked lines, the lower one unseen; both have one name, so that the legend switches both.
  function band(bounds, name, colours, options) {
    const { lower, upper } = bounds;
    const line = {
      name, type: "line", symbol: "none", stack: "band", stackStrategy: "all", silent: true, color: colours.edge, z: 1,
      ...options,
    };
    return [
      { ...line, id: "band-lower", data: lower, lineStyle: { width: 0 } },
      { ...line, id: "band-upper", data: upper.map((one, n) => (one == null ? null : one - lower[n])),
        lineStyle: { width: 1.2, color: colours.edge }, areaStyle: { color: colours.band } },
    ];
  }

  const isBand = (point) => point.seriesId.startsWith("band-");

  function expectedLine(bounds, n, say, words) {
    if (!bounds || bounds.lower[n] == null) return [];
    return [fill(words["chart.expected"], { lower: say(bounds.lower[n]), upper: say(bounds.upper[n]) })];
  }

  function comparedShares(data) {
    return data.compared ? movingShares(data.compared) : null;
  }

  function points(now, then) {
    if (now == null || then == null) return "–";
    const said = ((now - then) * 100).toFixed(1);
    return `${said > 0 ? "+" : ""}${said}`.replace("-", "−");
  }

  function shareOption(data, by, words, colours, clock) {
    const group = (line, n) => ({
      name: nameOf(line.key, by, words), type: "line", data: linePoints(movingShares(line)), symbol: "none",
      lineStyle: { width: 1.5 }, color: colours.groups[n], emphasis: { focus: "series" },
    });
    const everything = {
      name: words["chart.everything"], type: "line", data: linePoints(movingShares(data.everything)), symbol: "none",
      lineStyle: { width: 2.6 }, color: colours.text, z: 5,
      markArea: { silent: true, itemStyle: { color: colours.alarm }, data: incidentAreas(data) },
      markLine: modelLines(data, colours),
    };
    const bounds = data.expected?.shares;
    const then = comparedShares(data);
    const weekBefore = then && {
      name: words["chart.compared"], type: "line", data: linePoints(then), symbol: "none", color: colours.muted, z: 4,
      lineStyle: { width: 1.6, type: "dashed" },
    };
    const bands = bounds ? band(bounds, words["chart.band.share"], colours, {}) : [];
    return {
      ...base(colours, data.starts, clock),
      yAxis: valueAxis(colours, { min: 0, max: (range) => Math.min(1, Math.ceil(range.max * 5 + 0.2) / 5),
        axisLabel: { color: colours.muted, formatter: (share) => `${Math.round(share * 100)} %` } }),
      tooltip: tooltip(colours, clock, (point) =>
        `${point.marker ?? ""}${plain(point.seriesName)}  ${percent(point.value)}`, (n) => [
        ...expectedLine(bounds, n, percent, words),
        ...(then ? [`${words["chart.difference"]}  ${fill(words["chart.points"], { points: points(movingShares(data.everything)[n], then[n]) })}`] : []),
      ]),
      series: [...bands, everything, ...(weekBefore ? [weekBefore] : []), ...data.groups.map(group)],
    };
  }

  function signed(count) {
    return `${count > 0 ? "+" : ""}${count.toLocaleString("en")}`.replace("-", "−");
  }

  function volumeOption(data, words, colours, clock) {
    const bar = (sentiment) => ({
      name: words[`sentiment.${sentiment}`], type: "bar", stack: "all", data: data.everything[sentiment],
      color: colours[sentiment], barCategoryGap: data.starts.length > 100 ? "0%" : "20%",
    });
    const bounds = data.expected?.counts;
    const bands = bounds ? band(bounds, words["chart.band.counts"], colours, { step: "middle", z: 6 }) : [];
    const hasCopies = data.voices?.some((count, n) => count !== data.everything.negative[n]);
    const voices = { // only where copies make a difference, else every bar would have an outline
      name: words["chart.voices"], type: "scatter", symbol: "rect", symbolSize: [9, 3], z: 7, color: colours.text,
      data: data.voices?.map((count, n) => (count === data.everything.negative[n] ? null : count)),
    };
    const weekBefore = {
      name: words["chart.compared"], type: "line", step: "middle", symbol: "none", data: data.compared?.total, z: 7,
      color: colours.muted, lineStyle: { width: 1.6, type: "dashed" },
    };
    const bars = ["negative", "neutral", "positive"].map(bar);
    bars[0].markLine = modelLines(data, colours);
    return {
      ...base(colours, data.starts, clock),
      yAxis: valueAxis(colours, {
        minInterval: 1, axisLabel: { color: colours.muted, formatter: (count) => compact.format(count) },
      }),
      tooltip: tooltip(colours, clock, (point) => `${point.marker ?? ""}${plain(point.seriesName)}  ${point.value}`, (n) => [
        ...expectedLine(bounds, n, (count) => Math.round(count).toLocaleString("en"), words),
        ...(data.compared ? [`${words["chart.difference"]}  ${signed(data.everything.total[n] - data.compared.total[n])}`] : []),
      ]),
      series: [...bars, ...bands, ...(hasCopies ? [voices] : []), ...(data.compared ? [weekBefore] : [])],
    };
  }

  // Where the documents of one bucket are.
  function bucketLink(section, data, n, params) {
    const start = new Date(data.starts[n]);
    const address = new URL(section.dataset.documents, location.href);
    const minute = (at) => `${at.toISOString().slice(0, 16)}Z`;
    address.searchParams.set("from", minute(start));
    address.searchParams.set("to", minute(new Date(+start + data.step_seconds * 1000)));
    for (const [name, value] of Object.entries(params ?? {})) address.searchParams.set(name, value);
    return address.pathname + address.search;
  }

  function linked(text, href) {
    const link = document.createElement("a");
    link.href = href;
    link.textContent = text;
    return link;
  }

  function said(text) {
    const made = document.createElement("span");
    made.textContent = text;
    return made;
  }

  // A column: its name, what it says of a bucket, and what narrows that bucket's documents down to those it counts.
  function table(section, data, columns, clock, words) {
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    for (const [name] of [[words["chart.time"]], ...columns]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      head.append(cell);
    }
    const body = made.createTBody();
    data.starts.forEach((at, n) => {
      if (!data.everything.total[n]) return; // an empty bucket says nothing
      const row = body.insertRow(0);
      const time = document.createElement("th");
      time.scope = "row";
      time.append(linked(clock(at), bucketLink(section, data, n)));
      row.append(time);
      for (const [, say, params] of columns) {
        const text = String(say(n));
        row.insertCell().append(params && text !== "–" ? linked(text, bucketLink(section, data, n, params)) : text);
      }
    });
    return made;
  }

  function range(bounds, n, say) {
    return bounds.lower[n] == null ? "–" : `${say(bounds.lower[n])} – ${say(bounds.upper[n])}`;
  }

  function shareColumns(data, by, words) {
    const of = (line) => {
      const values = movingShares(line);
      const isAll = line.key == null;
      return [isAll ? words["chart.everything"] : nameOf(line.key, by, words), (n) => percent(values[n]),
        { sentiment: "negative", ...(isAll ? {} : { [by]: line.key }) }];
    };
    const bounds = data.expected?.shares;
    const [now, then] = [movingShares(data.everything), comparedShares(data)];
    return [
      of(data.everything),
      ...(bounds ? [[words["chart.band.share"], (n) => range(bounds, n, percent)]] : []),
      ...(then ? [[words["chart.compared"], (n) => percent(then[n])], [words["chart.difference"], (n) => points(now[n], then[n])]] : []),
      ...data.groups.map(of),
    ];
  }

  function volumeColumns(data, words) {
    const bounds = data.expected?.counts;
    const total = data.everything.total;
    const then = data.compared?.total;
    return [
      [words["chart.total"], (n) => total[n], {}],
      ...["negative", "neutral", "positive"].map((one) => [words[`sentiment.${one}`], (n) => data.everything[one][n], { sentiment: one }]),
      ...(bounds ? [[words["chart.band.counts"], (n) => range(bounds, n, Math.round)]] : []),
      ...(then ? [[words["chart.compared"], (n) => then[n]], [words["chart.difference"], (n) => signed(total[n] - then[n])]] : []),
    ];
  }

  function fillTables(section, data, by, words, clock) {
    for (const [kind, columns] of [["share", shareColumns(data, by, words)], ["volume", volumeColumns(data, words)]]) {
      const details = section.querySelector(`[data-chart="${kind}"] details`);
      const place = details.querySelector(".table-here");
      place.replaceChildren(...(details.open ? [table(section, data, columns, clock, words)] : []));
    }
  }

  // What the areas and dashed lines are, for everybody: incidents to follow, models by name.
  function fillMarks(section, data, words, clock) {
    const list = section.querySelector(".marks");
    if (!list) return;
    const incidents = [...data.incidents].sort((one, other) => new Date(other.starts_at) - new Date(one.starts_at));
    const made = incidents.slice(0, MOST_MARKS).map((one) => {
      const item = document.createElement("li");
      item.className = "incident-mark";
      item.append(linked(fill(words["chart.incident.mark"], { id: one.id }), `/incidents/${one.id}`), said(clock(one.starts_at)));
      return item;
    });
    if (incidents.length > MOST_MARKS) {
      const item = document.createElement("li");
      item.append(linked(fill(words["chart.marks.more"], { n: incidents.length - MOST_MARKS }), "/incidents"));
      made.push(item);
    }
    for (const one of data.models) {
      const item = document.createElement("li");
      item.className = "model";
      const link = linked(fill(words["chart.model"], { version: String(one.version).slice(0, 40) }), "/models");
      item.append(link, said(clock(one.at)));
      if (one.factor) item.append(said(fill(words["chart.model.factor"], { factor: one.factor.toFixed(2), before: String(one.before).slice(0, 40) })));
      made.push(item);
    }
    list.replaceChildren(...made);
    const note = section.querySelector(".band-note");
    const reason = data.expected
      ? fill(words["chart.band"], { rule: data.expected.rule, at: clock(data.expected.learned_to) })
      : words[`chart.band.${data.unexpected}`] ?? "";
    const once = data.voices ? words["chart.band.voices"] : "";
    note.textContent = [reason, once, words["chart.click"]].filter(Boolean).join(" ");
  }

  // A click on a bucket opens its documents; on a bar, those of the sentiment that it stands for.
  function openDocuments(section, kind, event) {
    const { data, [kind]: chart } = drawn.get(section);
    const at = [event.offsetX, event.offsetY];
    if (!chart.containPixel("grid", at)) return;
    const [n, value] = chart.convertFromPixel({ xAxisIndex: 0, yAxisIndex: 0 }, at);
    if (!(n in data.starts)) return;
    const wanted = kind === "share" ? "negative" : sentimentAt(data.everything, n, value);
    location.assign(bucketLink(section, data, n, wanted ? { sentiment: wanted } : {}));
  }

  function sentimentAt(line, n, value) {
    let top = 0;
    return ["negative", "neutral", "positive"].find((one) => {
      top += line[one][n];
      return value <= top;
    });
  }

  function draw(section) {
    const state = drawn.get(section);
    const { data, words } = state;
    const message = section.querySelector(".chart-message");
    const isEmpty = !data.everything.total.some(Boolean);
    message.hidden = !isEmpty;
    message.textContent = words["chart.empty"];
    const by = new URL(section.dataset.series, location.href).searchParams.get("by") ?? "topic";
    const colours = palette();
    const clock = clockOf(data);
    const options = {
      share: shareOption(data, by, words, colours, clock), volume: volumeOption(data, words, colours, clock),
    };
    for (const [kind, option] of Object.entries(options)) {
      const place = section.querySelector(`[data-chart="${kind}"] .canvas`);
      if (!state[kind]) {
        state[kind] = echarts.init(place, null, { renderer: "canvas" });
        state[kind].getZr().on("click", (event) => openDocuments(section, kind, event));
      }
      state[kind].setOption(option, { notMerge: true });
      const note = section.querySelector(`[data-chart="${kind}"] [data-note]`);
      note.textContent = fill(note.dataset.note, {
        step: stepInWords(data.step_seconds, words), window: stepInWords(data.step_seconds * WINDOW_BUCKETS, words),
        least: LEAST_DOCUMENTS,
      });
    }
    fillTables(section, data, by, words, clock);
    fillMarks(section, data, words, clock);
    section.dataset.drawn = String(Number(section.dataset.drawn ?? 0) + 1);
  }

  async function load(section) {
    if (!drawn.has(section)) begin(section);
    const state = drawn.get(section);
    try {
      const response = await fetch(section.dataset.series);
      if (!response.ok) throw new Error(String(response.status));
      state.data = await response.json();
      draw(section);
    } catch {
      const message = section.querySelector(".chart-message");
      message.hidden = false;
      message.textContent = state.words["chart.failed"];
    }
  }

  function begin(section) {
    drawn.set(section, { words: JSON.parse(section.querySelector(".words").textContent) });
    new ResizeObserver(() => {
      for (const kind of ["share", "volume"]) drawn.get(section)[kind]?.resize();
    }).observe(section);
    for (const details of section.querySelectorAll("details")) {
      details.addEventListener("toggle", () => drawn.get(section).data && draw(section));
    }
  }

  function loadAll() {
    for (const section of document.querySelectorAll("[data-series]")) load(section);
  }

  document.addEventListener("DOMContentLoaded", loadAll);
  document.body.addEventListener("refresh", loadAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const section of document.querySelectorAll("[data-series]")) if (drawn.get(section)?.data) draw(section);
  });
})();
