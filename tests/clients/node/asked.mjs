// What every script here asks for, and where: the gateway's address, key and kind of provider come from the environment.
export const base = process.env.GATEHOUSE_URL;
export const key = process.env.GATEHOUSE_KEY;
export const kind = process.env.PROVIDER_KIND;
export const model = `${kind}-mock`;

export const HELLO = "Hello! 안녕하세요, naïve café 👋 — here is a scripted answer, always the same one.";
export const AFTER_THOUGHT = "The answer is 42, after some thought.";
export const CITIES = ["Seoul", "São Paulo", "Zürich"];
export const FORECAST = { city: "Seoul", temperature: 21.5, rainy: false, days: ["Mon", "Tue"], note: "☂ 없음" };
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

export const toolSchema = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};

export const forecastSchema = {
  type: "object",
  properties: {
    city: { type: "string" },
    temperature: { type: "number" },
    rainy: { type: "boolean" },
    days: { type: "array", items: { type: "string" } },
    note: { type: "string" },
  },
  required: ["city", "temperature", "rainy", "days", "note"],
  additionalProperties: false,
};

// A model whose provider fails in one way only.
export const failing = (fault, way = "plain") => `${kind}-${way}-fault-${fault}`;
export const cut = `${kind}-fault-cut-interval-10`;
