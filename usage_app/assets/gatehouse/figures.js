// Figures as people read them; the same rules as usage_app/figures.py.

const THIN = "\u202f";

export function grouped(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, THIN);
}

export function money(nanodollars, significant = 3) {
  const amount = Math.abs(nanodollars);
  const sign = nanodollars < 0 ? "-" : "";
  if (amount === 0) return "$0.00";
  if (amount >= 1e9) {
    return sign + "$" + (amount / 1e9).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  }
  const digits = String(Math.round(amount)).length;
  const decimals = Math.min(9, 9 - digits + significant);
  const [whole, fraction = ""] = (amount / 1e9).toFixed(decimals).split(".");
  return `${sign}$${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

export function shortCount(number) {
  for (const [limit, divisor, unit] of [[1e12, 1e12, "T"], [1e9, 1e9, "B"], [1e6, 1e6, "M"], [1e4, 1e3, "k"]]) {
    if (Math.abs(number) >= limit) {
      const scaled = number / divisor;
      const digits = Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0;
      return (digits ? scaled.toFixed(digits) : grouped(scaled)) + THIN + unit;
    }
  }
  return grouped(number);
}

export function duration(ms) {
  if (ms > 0 && ms < 0.05) return `<${THIN}0.1${THIN}ms`;
  if (ms < 10) return `${ms.toFixed(1)}${THIN}ms`;
  if (ms < 999.5) return `${Math.round(ms)}${THIN}ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}${THIN}s`;
  if (seconds < 59.5) return `${Math.round(seconds)}${THIN}s`;
  const whole = Math.round(seconds);
  const rest = whole % 60;
  return `${Math.floor(whole / 60)}${THIN}min` + (rest ? ` ${rest}${THIN}s` : "");
}

// 23:28:19 in a zone, whatever the browser's language makes of it.
export function clock(ms, timeZone) {
  return new Date(ms).toLocaleTimeString("en-GB", { hourCycle: "h23", timeZone });
}

export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}

export function words(id) {
  return JSON.parse(document.getElementById(id).textContent);
}
