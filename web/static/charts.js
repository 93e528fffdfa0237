// Draws the negative share and the volume of /api/v1/series, and the same figures as a table.
"use strict";

(() => {
  const LEAST_DOCUMENTS = 5; // a share of fewer documents is chance
  const WINDOW_BUCKETS = 4; // a point is the share of so many buckets, up to and with its own: a line, not noise
  const compact = new Intl.NumberFormat("en", { notation: "compact" });
  const drawn = new WeakMap(); // section -> its charts and the newest data

  function palette() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      text: of("text"), muted: of("muted"), line: of("line"), surface: of("surface"), alarm: of("alarm-wash"),
      negative: of("negative"), neutral: of("neutral"), positive: of("positive"),
      groups: [1, 2, 3, 4, 5].map((n) => of(`group-${n}`)),
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

  function tooltip(colours, clock, say) {
    return {
      trigger: "axis", renderMode: "richText", confine: true, // rich text: no HTML is made of names
      backgroundColor: colours.surface, borderColor: colours.line, textStyle: { color: colours.text, fontSize: 12, fontFamily: colours.font },
      axisPointer: { type: "line", lineStyle: { color: colours.muted } },
      formatter: (points) => [clock(points[0].axisValue), ...points.map(say)].join("\n"),
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

  function shareOption(data, by, words, colours, clock) {
    const group = (line, n) => ({
      name: nameOf(line.key, by, words), type: "line", data: linePoints(movingShares(line)), symbol: "none",
      lineStyle: { width: 1.5 }, color: colours.groups[n], emphasis: { focus: "series" },
    });
    const everything = {
      name: words["chart.everything"], type: "line", data: linePoints(movingShares(data.everything)), symbol: "none",
      lineStyle: { width: 2.6 }, color: colours.text, z: 5,
      markArea: { silent: true, itemStyle: { color: colours.alarm }, data: incidentAreas(data) },
    };
    return {
      ...base(colours, data.starts, clock),
      yAxis: valueAxis(colours, { min: 0, max: (range) => Math.min(1, Math.ceil(range.max * 5 + 0.2) / 5),
        axisLabel: { color: colours.muted, formatter: (share) => `${Math.round(share * 100)} %` } }),
      tooltip: tooltip(colours, clock, (point) =>
        `${point.marker ?? ""}${plain(point.seriesName)}  ${percent(point.value)}`),
      series: [everything, ...data.groups.map(group)],
    };
  }

  function volumeOption(data, words, colours, clock) {
    const bar = (sentiment) => ({
      name: words[`sentiment.${sentiment}`], type: "bar", stack: "all", data: data.everything[sentiment],
      color: colours[sentiment], barCategoryGap: data.starts.length > 100 ? "0%" : "20%",
    });
    return {
      ...base(colours, data.starts, clock),
      yAxis: valueAxis(colours, {
        minInterval: 1, axisLabel: { color: colours.muted, formatter: (count) => compact.format(count) },
      }),
      tooltip: tooltip(colours, clock, (point) => `${point.marker ?? ""}${plain(point.seriesName)}  ${point.value}`),
      series: ["negative", "neutral", "positive"].map(bar),
    };
  }

  function table(data, columns, clock, words, documents) {
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
      const link = document.createElement("a");
      const end = new Date(+new Date(at) + data.step_seconds * 1000);
      const address = new URL(documents, location.href);
      address.searchParams.set("from", new Date(at).toISOString());
      address.searchParams.set("to", end.toISOString());
      link.href = address.pathname + address.search;
      link.textContent = clock(at);
      time.append(link);
      row.append(time);
      for (const [, say] of columns) row.insertCell().textContent = say(n);
    });
    return made;
  }

  function fillTables(section, data, by, words, clock) {
    const shareColumns = [data.everything, ...data.groups].map((line) => {
      const values = movingShares(line);
      return [line.key == null ? words["chart.everything"] : nameOf(line.key, by, words), (n) => percent(values[n])];
    });
    const volumeColumns = [[words["chart.total"], (n) => data.everything.total[n]],
      ...["negative", "neutral", "positive"].map((one) => [words[`sentiment.${one}`], (n) => data.everything[one][n]])];
    for (const [kind, columns] of [["share", shareColumns], ["volume", volumeColumns]]) {
      const details = section.querySelector(`[data-chart="${kind}"] details`);
      const place = details.querySelector(".table-here");
      place.replaceChildren(...(details.open ? [table(data, columns, clock, words, section.dataset.documents)] : []));
    }
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
      state[kind] ??= echarts.init(place, null, { renderer: "canvas" });
      state[kind].setOption(option, { notMerge: true });
      const note = section.querySelector(`[data-chart="${kind}"] [data-note]`);
      note.textContent = fill(note.dataset.note, {
        step: stepInWords(data.step_seconds, words), window: stepInWords(data.step_seconds * WINDOW_BUCKETS, words),
        least: LEAST_DOCUMENTS,
      });
    }
    fillTables(section, data, by, words, clock);
    section.dataset.drawn = String(Number(section.dataset.drawn ?? 0) + 1);
  }

  async function load(section) {
    if (!drawn.has(section)) begin(section);
    const state = drawn.get(section);
    try {
      const response = await fetch(section.dataset.series, { headers: { accept: "application/json" } });
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
