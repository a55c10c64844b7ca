package faceveil.serving;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import software.amazon.ai.mms.servingsdk.Context;
import software.amazon.ai.mms.servingsdk.Model;
import software.amazon.ai.mms.servingsdk.ModelServerEndpoint;
import software.amazon.ai.mms.servingsdk.Worker;
import software.amazon.ai.mms.servingsdk.annotations.Endpoint;
import software.amazon.ai.mms.servingsdk.annotations.helpers.EndpointTypes;
import software.amazon.ai.mms.servingsdk.http.Request;
import software.amazon.ai.mms.servingsdk.http.Response;

/** Healthy while at least one worker holds the model; the server's own ping says so always. */
@Endpoint(
        urlPattern = "ping",
        endpointType = EndpointTypes.INFERENCE,
        description = "200 while a worker holds the model, else 503")
public class Ping extends ModelServerEndpoint {
    @Override
    public void doGet(Request request, Response response, Context context) throws IOException {
        int workers = 0;
        int ready = 0;
        for (Model model : context.getModels().values()) {
            for (Worker worker : model.getModelWorkers()) {
                workers++;
                if (worker.isRunning()) {
                    ready++;
                }
            }
        }
        String answer =
                String.format(
                        "{\"status\": \"%s\", \"ready\": %d, \"workers\": %d}",
                        ready == 0 ? "Unhealthy" : ready < workers ? "Partial Healthy" : "Healthy",
                        ready,
                        workers);
        response.setStatus(ready > 0 ? 200 : 503);
        response.setContentType("application/json");
        response.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
    }
}
