import torch
from torch import nn

rnn, head = nn.LSTM(3, 5, bidirectional=True), nn.Linear(10, 4)
opt = torch.optim.RMSprop([*rnn.parameters(), *head.parameters()])
ctc = nn.CTCLoss(zero_infinity=True)
for _ in range(2):
    x = torch.randn(9, 2, 3)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([9, 7]))
    out, _ = nn.utils.rnn.pad_packed_sequence(rnn(packed)[0])
    lp = head(out).log_softmax(-1)
    loss = ctc(lp, torch.randint(1, 4, (2, 3)), torch.tensor([9, 7]), torch.tensor([3, 2]))
    opt.zero_grad()
    loss.backward()
    opt.step()
