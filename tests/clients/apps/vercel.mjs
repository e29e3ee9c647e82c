// The Vercel AI SDK with its OpenTelemetry integration, over OTLP as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { OpenTelemetry } from "@ai-sdk/otel";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, isStepCount, registerTelemetry, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const { APP_ASSAY, APP_MODEL, APP_KEY, APP_TALK, APP_USER } = process.env;
const exporter = new OTLPTraceExporter({ url: `${APP_ASSAY}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "live", "service.version": "1.2" }),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxExportBatchSize: 4 })],
});
provider.register();
registerTelemetry(
  new OpenTelemetry({ enrichSpan: () => ({ "session.id": APP_TALK, "user.id": APP_USER }) }),
);

const model = createOpenAI({ baseURL: APP_MODEL, apiKey: APP_KEY }).chat("gpt-4o-mini");
const tools = {
  get_weather: tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => (city === "Paris" ? "sunny, 21 degrees" : `sunny in ${city}`),
  }),
};
const telemetry = { isEnabled: true, functionId: "app" };
const messages = [];
const stop = (isStepCount ?? stepCountIs)(4);
let refused = 0;
for (const ask of [
  "Hi there!",
  "What is the weather in Paris?",
  "Tell me a joke",
  "Cause a bad request",
  "Cause a rate limit",
]) {
  const asked = [...messages, { role: "user", content: ask }];
  const options = { model, messages: asked, telemetry, maxRetries: 0 };
  try {
    let said = "";
    if (ask === "Tell me a joke") {
      for await (const part of streamText(options).textStream) said += part;
    } else {
      said = (await generateText({ ...options, tools, stopWhen: stop })).text;
    }
    messages.push(asked.at(-1), { role: "assistant", content: said });
  } catch {
    refused += 1;
  }
}
await provider.shutdown();
if (refused !== 2) throw new Error(`${refused} turns were refused, not 2`);
