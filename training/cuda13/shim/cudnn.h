#pragma once
// cuDNN 9 removed the recurrent-network calls of cuDNN 6 and 7, which Jittor's cuDNN module is compiled with. No model here has a
// recurrent layer, so they answer "not supported".
#include "@REAL@"
#if defined(__cplusplus) && CUDNN_MAJOR >= 9 && !defined(PAIR_CURATION_CUDNN9)
#define PAIR_CURATION_CUDNN9
#define NOT_SUPPORTED(name)                     \
    template <class... Arguments>               \
    static inline cudnnStatus_t name(Arguments...) { return CUDNN_STATUS_NOT_SUPPORTED; }
NOT_SUPPORTED(cudnnSetRNNDescriptor_v6)
NOT_SUPPORTED(cudnnGetRNNParamsSize)
NOT_SUPPORTED(cudnnGetRNNWorkspaceSize)
NOT_SUPPORTED(cudnnGetRNNTrainingReserveSize)
NOT_SUPPORTED(cudnnGetRNNLinLayerBiasParams)
NOT_SUPPORTED(cudnnGetRNNLinLayerMatrixParams)
NOT_SUPPORTED(cudnnRNNBackwardData)
NOT_SUPPORTED(cudnnRNNBackwardWeights)
NOT_SUPPORTED(cudnnRNNForwardInference)
NOT_SUPPORTED(cudnnRNNForwardTraining)
#undef NOT_SUPPORTED
#endif
