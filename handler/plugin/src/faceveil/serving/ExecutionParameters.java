package faceveil.serving;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import software.amazon.ai.mms.servingsdk.Context;
import software.amazon.ai.mms.servingsdk.ModelServerEndpoint;
import software.amazon.ai.mms.servingsdk.annotations.Endpoint;
import software.amazon.ai.mms.servingsdk.annotations.helpers.EndpointTypes;
import software.amazon.ai.mms.servingsdk.http.Request;
import software.amazon.ai.mms.servingsdk.http.Response;

/** What Batch Transform asks before a job: how many requests at once, and how large. */
@Endpoint(
        urlPattern = "execution-parameters",
        endpointType = EndpointTypes.INFERENCE,
        description = "How SageMaker Batch Transform should send its requests")
public class ExecutionParameters extends ModelServerEndpoint {
    @Override
    public void doGet(Request request, Response response, Context context) throws IOException {
        String answer =
                String.format(
                        "{\"MaxConcurrentTransforms\": %d, \"BatchStrategy\": \"SINGLE_RECORD\", "
                                + "\"MaxPayloadInMB\": %d}",
                        Integer.getInteger("faceveil.concurrentTransforms"),
                        Integer.getInteger("faceveil.payloadMb"));
        response.setContentType("application/json");
        response.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
    }
}
