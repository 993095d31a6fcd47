import torch

signal = torch.randn(16, requires_grad=True)
target = torch.randn(9, dtype=torch.complex64)
opt = torch.optim.Adam([signal], lr=0.1)
for _ in range(3):
    spec = torch.fft.rfft(signal)
    loss = (spec - target).abs().pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
